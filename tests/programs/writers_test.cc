// Who closed it, and how: maps, several writers, inherited descriptors, shells, interpreters.
#include <signal.h>

#include "mount/open_file.h"
#include "programs/programs_test.h"

namespace tusfs_testing {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSize = 3 * kMiB + 5;
constexpr std::uint64_t kHalf = 2 * kMiB;

class WritersTest : public ProgramsTest {
 protected:
  /// A shell command as a child; "$1" is the file in the mount, "$2" a source that hangs half-way
  /// for every program below it.
  void StartShell(std::string const& script, std::string const& name, std::uint64_t until) {
    auto const source = Source("hanging", kSize);
    StartUntil(
        WithBadSource(source, kHalf, Bad::kStalls, {"sh", "-c", script, "sh", In(name), source}),
        name, until);
  }
  void KillGroup(int signal) {
    program_.Signal(signal);
    ASSERT_TRUE(program_.Wait(std::chrono::seconds(10)));
  }
  /// Nobody ever writes to it.
  fs::path Fifo() {
    auto const path = dir_ / "fifo";
    Run({"mkfifo", path});
    return path;
  }
};

// ---- memory maps

TEST_F(WritersTest, AFileWrittenThroughAMapArrives) {
  Mount();
  WriteFile(dir_ / "expected", std::string(kSize, 'm'));
  Run({MAP_WRITER, In("mapped"), std::to_string(kSize)});
  ExpectArrival("shared memory map, closed after it", "mapped", dir_ / "expected", 2.0);
}

TEST_F(WritersTest, AFileWrittenThroughAMapAfterItWasClosedIsHeldWithItsReason) {
  Mount();
  Run({MAP_WRITER, In("mapped"), std::to_string(kSize), "late"});
  ExpectInterrupted("shared memory map, closed before it", "mapped", "has closed it");
}

// ---- programs that execute another one, which closes what that one does not get

TEST_F(WritersTest, AProgramThatExecutesAnotherOneHasClosedIt) {
  Mount();
  auto const whole = Source("whole", kSize);
  Run({"python3", "-c",
       "import os, sys\n"
       "to = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC)\n"
       "os.write(to, open(sys.argv[1], 'rb').read())\n"
       "os.execvp('true', ['true'])\n",
       whole, In("left")});
  ExpectArrival("python3 that executes another program", "left", whole);
}

TEST_F(WritersTest, WhatAProgramStartsMeanwhileIsNotItsEnd) {
  Mount();
  auto const whole = Source("whole", kSize);
  auto const bytes = ReadFile(whole);
  OpenFile file(In("kept"));
  for (auto const& part : {bytes.substr(0, kHalf), bytes.substr(kHalf)}) {
    Run({"true"});
    file.Write(part);
    Run({"true"});
  }
  SendMarker(*mount_, "marker");
  EXPECT_EQ(mount_->State("kept"), "writing");
  CountFromHere();
  EXPECT_EQ(file.Close(), 0);
  ExpectArrival("a program that starts others while it writes", "kept", whole);
}

// ---- several writers

TEST_F(WritersTest, TheLastCloseOfTwoWritersDecides) {
  Mount();
  auto const whole = Source("whole", kSize);
  auto const bytes = ReadFile(whole);
  OpenFile first(In("shared"));
  first.Write(bytes.substr(0, kHalf));
  Shell("tail -c +" + std::to_string(kHalf + 1) + " \"$1\" >>\"$2\"", {whole, In("shared")});
  SendMarker(*mount_, "marker");
  EXPECT_EQ(mount_->State("shared"), "writing");
  EXPECT_EQ(PublishedSince(), 1) << "beside the marker";
  CountFromHere();
  EXPECT_EQ(first.Close(), 0);
  ExpectArrival("two writers, the second closes last", "shared", whole);
}

TEST_F(WritersTest, AKilledWriterLeavesTheFileInterruptedUntilALaterOneClosesIt) {
  Mount();
  StartShell("exec cat \"$2\" >\"$1\"", "shared", kHalf);
  KillGroup(SIGKILL);
  ExpectInterrupted("two writers, the first is killed", "shared", "SIGKILL");
  CountFromHere();
  Shell("tail -c +" + std::to_string(kHalf + 1) + " \"$1\" >>\"$2\"",
        {dir_ / "hanging", In("shared")});
  ExpectArrival("two writers, the second completes it", "shared", dir_ / "hanging");
}

TEST_F(WritersTest, AWriterThatIsKilledLastLeavesTheFileInterrupted) {
  Mount();
  OpenFile first(In("shared"));
  first.Write(RandomBytes(kMiB));
  StartShell("exec cat \"$2\" >>\"$1\"", "shared", kMiB + kHalf);
  EXPECT_EQ(first.Close(), 0);
  KillGroup(SIGKILL);
  ExpectInterrupted("two writers, the last is killed", "shared", "SIGKILL");
}

// ---- descriptors that pass from one process to another

TEST_F(WritersTest, AChildThatInheritedTheDescriptorFinishesTheFile) {
  Mount();
  auto const source = Source("clip.mov", kSize);
  Shell("exec 3>\"$1\"; cat \"$2\" >&3 & exec 3>&-; wait", {In("clip.mov"), source});
  ExpectArrival("a child that inherited the descriptor", "clip.mov", source);
}

TEST_F(WritersTest, AChildThatInheritedTheDescriptorAndIsKilledLeavesTheFileInterrupted) {
  Mount();
  StartShell("exec 3>\"$1\"; cat \"$2\" >&3 & exec 3>&-; wait", "clip.mov", kHalf);
  KillGroup(SIGKILL);
  ExpectInterrupted("a child that inherited the descriptor, killed", "clip.mov", "SIGKILL");
}

TEST_F(WritersTest, ACommandThatIsKilledLeavesItsShellsFileInterrupted) {
  if (auto const why = WithoutProgram({"pkill"}); !why.empty()) GTEST_SKIP() << why;
  Mount();
  StartShell("cat \"$2\" >\"$1\" & child=$!; while kill -0 $child; do wait $child; done; true",
             "clip.mov", kHalf);
  auto const cat = RunProgram({"pkill", "-P", std::to_string(program_.pid()), "-TERM", "cat"});
  ASSERT_EQ(cat.code, 0) << cat.err;
  ExpectInterrupted("cat >FILE in a shell that goes on", "clip.mov", "SIGTERM");
}

TEST_F(WritersTest, AShellThatHoldsTheFileAndIsKilledLeavesItInterrupted) {
  Mount();
  program_.Start(
      {"sh", "-c", "exec 3>\"$1\"; echo begun >&3; read forever <\"$2\"", "sh", In("log"), Fifo()},
      dir_ / "program.out", dir_ / "program.err");
  ASSERT_TRUE(WaitFor([&] { return SizeIn("log") > 0; }));
  KillGroup(SIGKILL);
  ExpectInterrupted("exec 3>FILE in a shell, SIGKILL", "log", "SIGKILL");
}

TEST_F(WritersTest, AShellThatHoldsTheFileAndLeavesFinishesIt) {
  Mount();
  WriteFile(dir_ / "log", "begun\nended\n");
  Shell("exec 3>\"$1\"; echo begun >&3; echo ended >&3", {In("log")});
  ExpectArrival("exec 3>FILE in a shell that ends well", "log", dir_ / "log");
}

TEST_F(WritersTest, AnInterpreterThatEndsBadlyWithoutClosingLeavesTheFileInterrupted) {
  if (auto const why = WithoutProgram({"perl"}); !why.empty()) GTEST_SKIP() << why;
  Mount();
  auto const script = [](std::string const& end) {
    return "use POSIX; open(F, '>', $ARGV[0]); syswrite(F, 'x' x 1000000); " + end;
  };
  auto const bad = RunProgram({"perl", "-e", script("POSIX::_exit(3)"), In("bad")});
  EXPECT_EQ(bad.code, 3);
  ExpectInterrupted("perl, _exit(3) without close", "bad", "status 3");
  CountFromHere();
  Run({"perl", "-e", script("POSIX::_exit(0)"), In("good")});
  WriteFile(dir_ / "good", std::string(1'000'000, 'x'));
  ExpectArrival("perl, _exit(0) without close", "good", dir_ / "good");
}

// ---- others' namespaces

TEST_F(WritersTest, AWriterInAProcessNamespaceBelowIsSeenAsAnyOther) {
  if (::geteuid() != 0) GTEST_SKIP() << "SKIPPED: a process namespace needs root";
  Mount();
  auto const source = Source("clip.mov", kSize);
  Run({"unshare", "--pid", "--fork", "--mount-proc", "cp", source, In("clip.mov")});
  ExpectArrival("cp in a process namespace below", "clip.mov", source);
  CountFromHere();
  StartShell("exec unshare --pid --fork --kill-child --mount-proc cat \"$2\" >\"$1\"", "killed",
             kHalf);
  KillGroup(SIGKILL);
  // Whichever of the two is seen last says why.
  ExpectInterrupted("cat in a process namespace below, SIGKILL", "killed", "was killed");
}

}  // namespace
}  // namespace tusfs_testing
