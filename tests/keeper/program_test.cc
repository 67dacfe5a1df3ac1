#include "keeper/program.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "testing/files.h"

namespace tusfs {
namespace {

TEST(ProgramTest, OwnIsTheProgramOfThisProcess) {
  auto const own = Program::Own();
  ASSERT_TRUE(own);
  EXPECT_EQ(own->path(), std::filesystem::read_symlink("/proc/self/exe"));
  auto const installed = own->Installed();
  ASSERT_TRUE(installed);
  EXPECT_EQ(installed->path(), own->path());
}

TEST(ProgramTest, WhoWasKilledHasNotCrashed) {
  auto const end_of = [](int signal) {
    auto const child = ::fork();
    if (child == 0) {
      ::signal(signal, SIG_DFL);  // the sanitizers have handlers of their own
      ::raise(signal);
      ::_exit(1);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return status;
  };
  for (int const signal : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL}) {
    EXPECT_TRUE(HasCrashed(end_of(signal))) << signal;
  }
  for (int const signal : {SIGKILL, SIGTERM, SIGINT, SIGXCPU}) {
    EXPECT_FALSE(HasCrashed(end_of(signal))) << signal;
  }
  EXPECT_FALSE(HasCrashed(0));
  EXPECT_FALSE(HasCrashed(1 << 8)) << "status 1";
}

TEST(ProgramTest, AStartedProgramHasItsArgumentsItsEnvironmentAndTheKeptDescriptors) {
  tusfs_testing::TempDir const dir;
  auto const kept = OpenFile(dir / "kept", O_RDWR | O_CREAT);
  ASSERT_TRUE(kept);
  // This very program, asked to list its tests, which it writes where TEST_PREMATURE_EXIT_FILE
  // and the like do not matter; its end says that it ran.
  auto const child =
      Program::Own()->Start({"--gtest_list_tests"}, {"TUSFS_TEST_VARIABLE=1"}, {kept->get()});
  ASSERT_TRUE(child);
  int status = 0;
  ASSERT_EQ(::waitpid(*child, &status, 0), *child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_EQ(::fcntl(kept->get(), F_GETFD), FD_CLOEXEC) << "only the child keeps it open";
}

}  // namespace
}  // namespace tusfs
