// The failure table: whose exit status says what of the files that it had closed.
#include "filesystem/failure_table.h"

#include <gmock/gmock.h>
#include <signal.h>

namespace tusfs {
namespace {

using Suspect = FailureTable::Suspect;

constexpr int Status(int code) { return code << 8; }

Suspect Judge(std::string const& process, std::string const& executable, int code) {
  return FailureTable().Judge({process, executable}, Status(code));
}

TEST(FailureTable, ProgramsAreKnownByTheNameOfTheirProcess) {
  EXPECT_EQ(Judge("curl", "curl", 18), Suspect::kAll);
  EXPECT_EQ(Judge("curl", "curl", 0), Suspect::kNothing);
  EXPECT_EQ(Judge("tar", "tar", 1), Suspect::kDoubtful) << "a file changed while it was read";
  EXPECT_EQ(Judge("tar", "tar", 2), Suspect::kAll);
  EXPECT_EQ(Judge("wget", "wget", 8), Suspect::kDoubtful);
  EXPECT_EQ(Judge("recorder", "recorder", 1), Suspect::kDoubtful);
}

TEST(FailureTable, AnInterpreterIsKnownByItsExecutableWithoutTheVersion) {
  EXPECT_EQ(Judge("copy-card", "python3.11", 1), Suspect::kLast);
  EXPECT_EQ(Judge("perl", "perl", 255), Suspect::kLast);
  EXPECT_EQ(Judge("7z", "7z", 2), Suspect::kAll);
}

TEST(FailureTable, AnExecutableOfManyProgramsIsKnownByTheNameThatItRunsUnder) {
  EXPECT_EQ(Judge("dd", "busybox", 1), Suspect::kAll);
  EXPECT_EQ(Judge("sh", "busybox", 1), Suspect::kDoubtful);
  FailureTable const table({"busybox=1"});
  EXPECT_EQ(table.Judge({"busybox", "busybox"}, Status(1)), Suspect::kAll);
  EXPECT_EQ(table.Judge({"sh", "busybox"}, Status(1)), Suspect::kDoubtful);
}

TEST(FailureTable, NamesThatTheKernelCutsMatch) {
  FailureTable const table({"ingest-from-the-card=3"});
  EXPECT_EQ(table.Judge({"ingest-from-the", ""}, Status(3)), Suspect::kAll);
  EXPECT_EQ(table.Judge({"ingest", ""}, Status(3)), Suspect::kDoubtful);
  EXPECT_EQ(table.Judge({"", ""}, Status(3)), Suspect::kDoubtful);
}

TEST(FailureTable, WhateverASignalEndsWasNotDoneWithItsLastFile) {
  EXPECT_EQ(FailureTable(std::vector<std::string>{}).Judge({"recorder", "recorder"}, SIGINT),
            Suspect::kLast);
}

TEST(FailureTable, ALaterRuleForAProgramReplacesTheEarlierOne) {
  FailureTable const table({"curl=1-255", "curl=6"});
  EXPECT_EQ(table.Judge({"curl", "curl"}, Status(18)), Suspect::kDoubtful);
  EXPECT_EQ(table.Judge({"curl", "curl"}, Status(6)), Suspect::kAll);
}

TEST(FailureTable, RulesAreProgramsWithExitStatuses) {
  auto const rule = ParseFailureRule("ingest=1,4-7,9:last");
  ASSERT_TRUE(rule);
  EXPECT_EQ(rule->program, "ingest");
  EXPECT_THAT(rule->codes,
              testing::ElementsAre(testing::Pair(1, 1), testing::Pair(4, 7), testing::Pair(9, 9)));
  EXPECT_TRUE(rule->last_only);
  EXPECT_FALSE(rule->renames || rule->many_processes);
  auto const rsync = ParseFailureRule("rsync=23:renames:processes");
  ASSERT_TRUE(rsync);
  EXPECT_TRUE(rsync->renames && rsync->many_processes);
  for (auto const* const wrong :
       {"", "curl", "=1", "curl=", "curl=0", "curl=256", "curl=7-4", "curl=1,", "curl=-1",
        "curl=1:first", "/usr/bin/curl=1", "curl=one", "curl=1 2"}) {
    EXPECT_FALSE(ParseFailureRule(wrong)) << wrong;
  }
}

TEST(FailureTable, TheUsualOnesAreRules) {
  for (auto const& text : UsualFailures()) EXPECT_TRUE(ParseFailureRule(text)) << text;
}

TEST(FailureTable, AnEndIsSaidInWords) {
  EXPECT_EQ(DescribeEnd("curl", Status(18)), "curl ended with status 18");
  EXPECT_EQ(DescribeEnd("dd", SIGINT), "dd was killed by SIGINT");
}

}  // namespace
}  // namespace tusfs
