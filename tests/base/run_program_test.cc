// RunProgram: whether a program succeeds, and that none outstays its time.
#include "base/run_program.h"

#include <gmock/gmock.h>
#include <signal.h>

#include <thread>

#include "base/fakes.h"
#include "testing/files.h"
#include "testing/wait_for.h"

namespace tusfs {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr std::chrono::seconds kLong{60};

std::string WhatIsWrong(std::vector<std::string> const& argv, std::chrono::milliseconds timeout) {
  auto const ran = RunProgram({.argv = argv, .timeout = timeout}, {});
  return ran ? "" : Describe(ran.error());
}

TEST(RunProgram, ThatEndsWithStatus0Succeeds) {
  EXPECT_EQ(WhatIsWrong({"true"}, kLong), "");
  EXPECT_EQ(WhatIsWrong({"sh", "-c", "cat"}, kLong), "") << "it has no input";
}

TEST(RunProgram, ThatFailsSaysHowWithItsFirstWords) {
  EXPECT_EQ(WhatIsWrong({"false"}, kLong), "exited with status 1");
  EXPECT_EQ(WhatIsWrong({"sh", "-c", "echo moov atom; echo not found >&2; exit 7"}, kLong),
            "exited with status 7: moov atom not found");
  EXPECT_EQ(WhatIsWrong({"sh", "-c", "kill -TERM $$"}, kLong), "was killed by signal 15");
  auto const much = WhatIsWrong({"sh", "-c", "yes | head -c 1000000; exit 1"}, kLong);
  EXPECT_LT(much.size(), 1000U);
}

TEST(RunProgram, ThatIsWantedForWhatItPrintsGetsItsInput) {
  std::string const input(100'000, 'x');
  auto const counted = RunProgram({.argv = {"sh", "-c", "wc -c; echo aside >&2"},
                                   .timeout = kLong,
                                   .input = input,
                                   .most_output = 100},
                                  {});
  ASSERT_TRUE(counted) << Describe(counted.error());
  EXPECT_EQ(*counted, "100000\n");
  EXPECT_TRUE(RunProgram({.argv = {"true"}, .timeout = kLong, .input = input}, {}))
      << "it need not read it";
}

TEST(RunProgram, ThatPrintsTooMuchFailsWithoutFillingTheMemory) {
  auto const ran = RunProgram(
      {.argv = {"sh", "-c", "yes | head -c 10000000"}, .timeout = kLong, .most_output = 1000}, {});
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().code, EFBIG);
  EXPECT_THAT(Describe(ran.error()), HasSubstr("more than 1000 bytes"));
}

TEST(RunProgram, ThatFailsIsNotQuotedWithWhatItPrintsForUs) {
  auto const ran = RunProgram({.argv = {"sh", "-c", "echo s3cret; echo no quota >&2; exit 3"},
                               .timeout = kLong,
                               .most_output = 1000},
                              {});
  ASSERT_FALSE(ran);
  EXPECT_EQ(Describe(ran.error()), "exited with status 3: no quota");
}

TEST(RunProgram, ThatGetsAnEnvironmentHasNoOther) {
  auto const ran = RunProgram({.argv = {"/usr/bin/env"},
                               .timeout = kLong,
                               .most_output = 1000,
                               .environment = std::vector<std::string>{"ONE=1\n2"}},
                              {});
  ASSERT_TRUE(Ok(ran));
  EXPECT_EQ(*ran, "ONE=1\n2\n");
}

TEST(RunProgram, ThatIsListenedToIsHeardWhetherItSucceedsOrNot) {
  std::string heard;
  auto const listen = [&](std::string_view said) { heard += std::string(said) + "|"; };
  ProgramRun run{.argv = {"sh", "-c", "echo out; echo err >&2"}, .timeout = kLong};
  run.said = listen;
  run.most_words = 6;
  EXPECT_TRUE(Ok(RunProgram(run, {})));
  run.argv.back() = "echo no; exit 1";
  EXPECT_FALSE(RunProgram(run, {}));
  EXPECT_EQ(heard, "out\ner|no\n|");
}

TEST(RunProgram, ThatIsNotThereSaysSo) {
  EXPECT_THAT(WhatIsWrong({"no-such-program"}, kLong), StartsWith("cannot be started: No such"));
}

TEST(RunProgram, GetsItsWordsAsTheyAre) {
  EXPECT_THAT(WhatIsWrong({"sh", "-c", "echo \"$1\"; exit 1", "sh", "a b;$(c)"}, kLong),
              HasSubstr("a b;$(c)"));
}

TEST(RunProgram, ThatTakesTooLongIsKilledWithItsChildren) {
  tusfs_testing::TempDir const dir;
  auto const file = (dir / "pid").string();
  EXPECT_THAT(WhatIsWrong({"sh", "-c", "sleep 600 & echo $! > " + file + "; wait"},
                          std::chrono::milliseconds(500)),
              HasSubstr("did not end"));
  auto const child = std::stoi(tusfs_testing::ReadFile(file));
  EXPECT_TRUE(tusfs_testing::WaitFor([&] {
    // Reaped by whoever adopts it, or a zombie until then.
    return ::kill(child, 0) != 0 ||
           tusfs_testing::ReadFile("/proc/" + std::to_string(child) + "/stat").find(") Z") !=
               std::string::npos;
  }));
}

TEST(RunProgram, AChildThatKeepsItsOutputOpenIsNotWaitedFor) {
  EXPECT_EQ(WhatIsWrong({"sh", "-c", "sleep 5 &"}, kLong), "");
}

TEST(RunProgram, EndsAtOnceWhenItIsToldTo) {
  std::stop_source stop;
  std::jthread const stopper([&] { stop.request_stop(); });
  auto const ran = RunProgram({.argv = {"sleep", "600"}, .timeout = kLong}, stop.get_token());
  EXPECT_EQ(CodeOf(ran), ECANCELED);
}

}  // namespace
}  // namespace tusfs
