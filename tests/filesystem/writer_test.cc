// Writer: what /proc says of a process that closes a file.
#include <sys/types.h>
#include <unistd.h>

#include <csignal>

#include <gmock/gmock.h>

#include "filesystem/writer.h"
#include "testing/files.h"

namespace tusfs {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

constexpr unsigned kAlive = 0x400000;
constexpr unsigned kExiting = 0x400000 | 0x4;

// /proc/<pid>/stat of a process called `name`, with these flags and this exit code.
std::string StatText(std::string const& name, unsigned flags, int exit_code) {
  std::string text = "4711 (" + name + ") R 1 4711 4711 0 -1 " + std::to_string(flags);
  for (int field = 10; field <= 51; ++field) text += " " + std::to_string(field);
  return text + " " + std::to_string(exit_code) + "\n";
}

TEST(JudgeStat, ALivingProcessClosesCleanly) {
  auto const judgement = JudgeStat(StatText("cp", kAlive, 0), true);
  EXPECT_EQ(judgement.verdict, Verdict::kClean);
  EXPECT_THAT(judgement.reason, IsEmpty());
}

TEST(JudgeStat, ALivingProcessIsCleanEvenWhereItsStatusIsHidden) {
  EXPECT_EQ(JudgeStat(StatText("cp", kAlive, 0), false).verdict, Verdict::kClean);
}

TEST(JudgeStat, AProcessKilledByASignalDied) {
  auto const judgement = JudgeStat(StatText("cp", kExiting, SIGKILL), true);
  EXPECT_EQ(judgement.verdict, Verdict::kDied);
  EXPECT_THAT(judgement.reason, HasSubstr("SIGKILL"));
  EXPECT_THAT(JudgeStat(StatText("cp", kExiting, SIGTERM), true).reason, HasSubstr("SIGTERM"));
}

TEST(JudgeStat, ACoreDumpAndARealTimeSignalAreDeathsToo) {
  EXPECT_THAT(JudgeStat(StatText("cp", kExiting, SIGSEGV | 0x80), true).reason,
              HasSubstr("SIGSEGV"));
  EXPECT_THAT(JudgeStat(StatText("cp", kExiting, 40), true).reason, HasSubstr("40"));
}

TEST(JudgeStat, AnEndWithAStatusDied) {
  auto const judgement = JudgeStat(StatText("python3", kExiting, 3 << 8), true);
  EXPECT_EQ(judgement.verdict, Verdict::kDied);
  EXPECT_THAT(judgement.reason, HasSubstr("status 3"));
}

TEST(JudgeStat, AnEndWithStatus0IsClean) {
  EXPECT_EQ(JudgeStat(StatText("python3", kExiting, 0), true).verdict, Verdict::kClean);
}

TEST(JudgeStat, AnEndWhoseStatusIsHiddenIsUnknownWhateverItShows) {
  EXPECT_EQ(JudgeStat(StatText("cp", kExiting, 0), false).verdict, Verdict::kUnknown);
  EXPECT_EQ(JudgeStat(StatText("cp", kExiting, 9), false).verdict, Verdict::kUnknown);
}

TEST(JudgeStat, NamesMayHoldBracketsSpacesAndNumbers) {
  for (std::string const name : {"a b", "a) R 1 1", ") 4 4 4 (", "((", "))", "", "x\ny", "0 0 0"}) {
    EXPECT_EQ(JudgeStat(StatText(name, kExiting, SIGKILL), true).verdict, Verdict::kDied) << name;
    EXPECT_EQ(JudgeStat(StatText(name, kAlive, 0), true).verdict, Verdict::kClean) << name;
  }
}

TEST(JudgeStat, WhatIsNoStatTextIsUnknown) {
  auto words = StatText("cp", kAlive, 0);
  std::string const garbage = "4711 (cp)" + [] {
    std::string text;
    for (int i = 0; i < 60; ++i) text += " word";
    return text;
  }();
  for (auto const& text :
       {std::string(), std::string(")"), std::string("no brackets here"), garbage,
        words.substr(0, words.size() / 2), tusfs_testing::RandomBytes(500)}) {
    auto const judgement = JudgeStat(text, true);
    EXPECT_EQ(judgement.verdict, Verdict::kUnknown) << text;
    EXPECT_FALSE(judgement.reason.empty());
  }
}

TEST(ProcProcessTable, ThisProcessIsAliveAndItsOwn) {
  ProcProcessTable const table;
  EXPECT_EQ(table.JudgeClose(::getpid()).verdict, Verdict::kClean);
  EXPECT_EQ(table.ProcessOf(::getpid()), ::getpid());
}

TEST(ProcProcessTable, WhoeverCannotBeSeenIsUnknown) {
  ProcProcessTable const table;
  EXPECT_EQ(table.JudgeClose(0).verdict, Verdict::kUnknown);
  EXPECT_EQ(table.JudgeClose(0x7ffffffe).verdict, Verdict::kUnknown);
  EXPECT_EQ(table.ProcessOf(0x7ffffffe), 0x7ffffffe);
}

}  // namespace
}  // namespace tusfs
