// Writer: what /proc says of a process that closes a file.
#include "filesystem/writer.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>

#include "base/clock.h"
#include "base/file.h"
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

TEST(LifeIn, IsToldByTheMemoryThatAProcessHas) {
  EXPECT_EQ(LifeIn("Name:\tcp\nTgid:\t7\nVmPeak:\t 5000 kB\nVmExe:\t     700 kB\nVmLib:\t 0 kB\n"),
            Life::kAlive);
  EXPECT_EQ(LifeIn("Name:\tcp\nTgid:\t7\nVmPeak:\t 4 kB\nVmExe:\t       0 kB\nVmLib:\t 0 kB\n"),
            Life::kExecuting);
  EXPECT_EQ(LifeIn("Name:\tVmExe: 700 kB\nTgid:\t7\nThreads:\t1\n"), Life::kEnding);
}

TEST(LifeIn, OfThisProcessIsAliveAndOfOneThatHasEndedEnding) {
  EXPECT_EQ(LifeIn(ReadSmallFile("/proc/self/status").value()), Life::kAlive);
  pid_t const child = ::fork();
  if (child == 0) ::_exit(0);
  siginfo_t ended{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT), 0);
  EXPECT_EQ(LifeIn(ReadSmallFile("/proc/" + std::to_string(child) + "/status").value()),
            Life::kEnding);
  EXPECT_EQ(EndingStatusOf(child), 0);
  ::waitpid(child, nullptr, 0);
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

// ---- copies

// This process is the copying program.
class JudgeCopy : public testing::Test {
 protected:
  static constexpr std::size_t kSize = 100'000;

  // A source that nobody has written for an hour, of which `read` bytes have been read.
  UniqueFd Source(std::string const& name, std::uint64_t read, int flags = O_RDONLY) {
    auto const path = dir_ / name;
    tusfs_testing::WriteFile(path, std::string(kSize, 'x'));
    SetAge(path, std::chrono::hours(1));
    auto file = OpenFile(path, flags).value();
    EXPECT_EQ(::lseek(file.get(), static_cast<off_t>(read), SEEK_SET), static_cast<off_t>(read));
    return file;
  }

  static void SetAge(std::filesystem::path const& path, std::chrono::seconds age) {
    std::filesystem::last_write_time(path, std::filesystem::file_time_type::clock::now() - age);
  }

  static std::string OwnName() {
    auto name = ReadSmallFile("/proc/self/comm").value();
    name.pop_back();
    return name;
  }

  Judgement Judge(std::string const& name, std::uint64_t size = 2000) {
    return ProcProcessTable({"cp", OwnName()})
        .JudgeCopy(::getpid(), OwnName(), {name, size, SystemClock().Wall()});
  }

  tusfs_testing::TempDir const dir_;
};

TEST_F(JudgeCopy, ASourceThatIsNotReadToItsEndSpoilsTheCopy) {
  auto const source = Source("clip.mov", 2000);
  auto const judgement = Judge("clip.mov");
  EXPECT_EQ(judgement.verdict, Verdict::kDied);
  EXPECT_EQ(judgement.reason, "source was not read to its end: clip.mov, 2000 of 100000 bytes");
}

TEST_F(JudgeCopy, ASourceThatIsReadToItsEndIsAGoodCopy) {
  auto const source = Source("clip.mov", kSize);
  EXPECT_EQ(Judge("clip.mov").verdict, Verdict::kClean);
}

TEST_F(JudgeCopy, ACardThatIsGoneIsASourceAllTheSame) {
  auto const source = Source("clip.mov", 2000);
  std::filesystem::remove(dir_ / "clip.mov");
  EXPECT_EQ(Judge("clip.mov").verdict, Verdict::kDied);
}

TEST_F(JudgeCopy, TheOnlyFileThatIsOpenForReadingIsTheSourceWhateverItsName) {
  auto const source = Source("A001.mov", 10);
  auto const target = Source("clip.mov", 10, O_RDWR);
  auto const judgement = Judge("clip.mov");
  EXPECT_EQ(judgement.reason, "source was not read to its end: A001.mov, 10 of 100000 bytes");
}

TEST_F(JudgeCopy, OfSeveralTheOneOfTheSameNameIsTheSource) {
  auto const list = Source("list.txt", 10);
  {
    auto const other = Source("other.txt", 10);
    EXPECT_EQ(Judge("clip.mov").verdict, Verdict::kClean) << "nobody can tell which";
  }
  auto const source = Source("clip.mov", kSize);
  EXPECT_EQ(Judge("clip.mov").verdict, Verdict::kClean);
}

TEST_F(JudgeCopy, ASourceAsLongAsTheCopyWasReadInAnotherWay) {
  auto const source = Source("clip.mov", 0);
  EXPECT_EQ(Judge("clip.mov", kSize).verdict, Verdict::kClean);
  EXPECT_EQ(Judge("clip.mov", kSize - 1).verdict, Verdict::kDied);
}

TEST_F(JudgeCopy, ASourceThatGrewMeanwhileIsNotHeldAgainstTheCopy) {
  auto const source = Source("clip.mov", 2000);
  SetAge(dir_ / "clip.mov", std::chrono::seconds(0));
  EXPECT_EQ(Judge("clip.mov").verdict, Verdict::kClean);
  EXPECT_TRUE(Judge("clip.mov").is_doubtful) << "or it was written just before it was copied";
}

TEST_F(JudgeCopy, ASourceWithHolesIsNotHeldAgainstTheCopy) {
  auto const source = Source("clip.mov", 2000);
  std::filesystem::resize_file(dir_ / "clip.mov", 10'000'000);
  SetAge(dir_ / "clip.mov", std::chrono::hours(1));
  EXPECT_EQ(Judge("clip.mov").verdict, Verdict::kClean);
}

TEST_F(JudgeCopy, OtherProgramsMayReadAsTheyLike) {
  auto const source = Source("clip.mov", 2000);
  ProcProcessTable const table({"cp", "mv"});
  Copy const copy{"clip.mov", 2000, SystemClock().Wall()};
  EXPECT_EQ(table.JudgeCopy(::getpid(), OwnName(), copy).verdict, Verdict::kClean);
  EXPECT_EQ(table.JudgeCopy(0x7ffffffe, "cp", copy).verdict, Verdict::kClean);
}

// A real program: a shell that reads a part of what cp would read whole.
TEST_F(JudgeCopy, AnotherProcessIsSeenInTheMiddleOfItsCopy) {
  auto const source = Source("clip.mov", 0);
  auto const program = dir_ / "cp";
  std::filesystem::copy_file("/bin/sh", program);
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  UniqueFd const reading(ends[0]);
  UniqueFd writing(ends[1]);
  pid_t const child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], STDOUT_FILENO);
    auto const script = "exec 3< '" + (dir_ / "clip.mov").string() +
                        "'; read -r line <&3; echo read; while :; do sleep 1; done";
    ::execl(program.c_str(), "cp", "-c", script.c_str(), nullptr);
    ::_exit(127);
  }
  writing.Reset();
  char said = 0;
  EXPECT_EQ(::read(reading.get(), &said, 1), 1) << "it has read as far as it will";
  // The line has no end, so a shell reads all of it; then the card has more than it had seen.
  auto const whole =
      ProcProcessTable({"cp"}).JudgeCopy(child, "cp", {"clip.mov", 2000, SystemClock().Wall()});
  tusfs_testing::WriteFile(dir_ / "clip.mov", std::string(2 * kSize, 'x'));
  SetAge(dir_ / "clip.mov", std::chrono::hours(1));
  auto const part =
      ProcProcessTable({"cp"}).JudgeCopy(child, "cp", {"clip.mov", 2000, SystemClock().Wall()});
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(whole.verdict, Verdict::kClean);
  EXPECT_EQ(part.verdict, Verdict::kDied) << part.reason;
}

}  // namespace
}  // namespace tusfs
