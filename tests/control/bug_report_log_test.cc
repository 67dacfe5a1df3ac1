// What a report takes of the journal, of settings and of the command line.
#include "control/bug_report_log.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include "control/bug_report.h"
#include "control/bug_report_facts.h"

namespace tusfs {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(BugReportLogTest, EntriesOfTheJournalAreReadWhateverBytesTheyHave) {
  auto const entries = ParseJournal(
      R"({"__REALTIME_TIMESTAMP":"86400000000","PRIORITY":"4","TUSFS_MOUNT":"/mnt/a","MESSAGE":"held"})"
      "\nnonsense\n\n"
      R"({"MESSAGE":[104,255,10],"TUSFS_FILE":["one","two"],"PRIORITY":"3"})"
      "\n"
      R"({"MESSAGE":null,"PRIORITY":7})");
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[0].time, "1970-01-02T00:00:00Z");
  EXPECT_EQ(entries[0].level, "warn");
  EXPECT_EQ(entries[0].mount, "/mnt/a");
  EXPECT_EQ(entries[0].text, "held");
  EXPECT_EQ(entries[1].text, "h\xff\n");
  EXPECT_EQ(entries[1].file, "one");
  EXPECT_EQ(entries[1].level, "error");
  EXPECT_EQ(entries[2].text, "");
}

TEST(BugReportFactsTest, ArgumentsOfProgramsAndValuesOfMetadataAreNotShown) {
  auto const shown = WithoutArguments(
      "on-uploaded         /usr/bin/tell --key s3cret    given\n"
      "token-command       /usr/bin/get ***    rig.toml:3\n"
      "metadata            client=s3cret, b=c    given\n"
      "finish-command      -                   default\n"
      "settle              2                   given\n");
  EXPECT_THAT(shown, Not(HasSubstr("s3cret")));
  EXPECT_THAT(shown, HasSubstr("on-uploaded /usr/bin/tell *** given\n"));
  EXPECT_THAT(shown, HasSubstr("token-command /usr/bin/get *** rig.toml:3\n"));
  EXPECT_THAT(shown, HasSubstr("metadata *** given\n"));
  EXPECT_THAT(shown, HasSubstr("settle              2                   given\n"));
}

TEST(BugReportFactsTest, TheMachineIsToldWithoutItsName) {
  EXPECT_THAT(MachineFacts(), HasSubstr("kernel Linux "));
  EXPECT_THAT(VersionFacts(), HasSubstr("tusfsctl "));
  EXPECT_THAT(FilesystemFacts("/tmp"), HasSubstr("free: "));
  EXPECT_THAT(FilesystemFacts("/tmp/no/such/place"), HasSubstr("it cannot be looked at: No such"));
}

TEST(BugReportFactsTest, OfOtherProgramsNoThreadsAreTold) {
  EXPECT_EQ(ThreadFacts(::getpid()), "");
  EXPECT_EQ(ThreadFacts(0), "");
}

TEST(BugReportTest, TheArchiveIsTheWordThatEndsAsOne) {
  auto const sorted = [](std::string const& first, std::string const& second) {
    BugReportOptions options;
    auto const wrong = SortWords(first, second, options);
    return wrong.empty() ? options.file + " of " + options.path : wrong;
  };
  EXPECT_EQ(sorted("a.tar.gz", "/mnt/a"), "a.tar.gz of /mnt/a");
  EXPECT_EQ(sorted("/mnt/a", "a.tar.gz"), "a.tar.gz of /mnt/a");
  EXPECT_EQ(sorted("/mnt/a", ""), " of /mnt/a");
  EXPECT_THAT(sorted("a.zip", "/mnt/a"), HasSubstr("name one FILE.tar.gz"));
  EXPECT_THAT(sorted("a.tar.gz", "b.tar.gz"), HasSubstr("name one FILE.tar.gz"));
}

}  // namespace
}  // namespace tusfs
