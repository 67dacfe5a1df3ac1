#include "testing/process.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <system_error>

#include "testing/files.h"
#include "testing/wait_for.h"

namespace tusfs_testing {
namespace {

int OpenLog(std::filesystem::path const& path) {
  int const fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), path.string());
  return fd;
}

}  // namespace

ChildProcess::~ChildProcess() {
  if (!Running()) return;
  Signal(SIGKILL);
  (void)Wait(std::chrono::seconds(10));
}

void ChildProcess::Start(Command const& command, std::filesystem::path const& out,
                         std::filesystem::path const& err) {
  std::vector<char*> argv;
  argv.reserve(command.size() + 1);
  for (auto const& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  int const out_fd = OpenLog(out);
  int const err_fd = OpenLog(err);
  int const null_fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ending_.reset();
  pid_ = ::fork();
  if (pid_ == 0) {
    // Only async-signal-safe calls: the parent may have threads.
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(null_fd, 0);
    ::dup2(out_fd, 1);
    ::dup2(err_fd, 2);
    ::execvp(argv[0], argv.data());
    ::_exit(127);
  }
  int const error = errno;
  ::close(out_fd);
  ::close(err_fd);
  ::close(null_fd);
  if (pid_ < 0) throw std::system_error(error, std::generic_category(), "fork");
  ::setpgid(pid_, pid_);  // also here: Signal() may come before the child ran
}

bool ChildProcess::Running() {
  if (pid_ <= 0 || ending_) return false;
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) != pid_) return true;
  ending_ = WIFSIGNALED(status) ? Ending{.code = -1, .signal = WTERMSIG(status)}
                                : Ending{.code = WEXITSTATUS(status), .signal = 0};
  return false;
}

void ChildProcess::Signal(int signal) {
  if (pid_ > 0 && !ending_) ::kill(-pid_, signal);
}

std::optional<Ending> ChildProcess::Wait(std::chrono::milliseconds limit) {
  if (!WaitFor([&] { return !Running(); }, limit)) return std::nullopt;
  return ending_;
}

Finished RunProgram(Command const& command, std::chrono::milliseconds limit) {
  TempDir const dir;
  ChildProcess child;
  child.Start(command, dir / "out", dir / "err");
  auto ending = child.Wait(limit);
  if (!ending) child.Signal(SIGKILL);
  return {.code = ending ? ending->code : -1,
          .out = ReadFile(dir / "out"),
          .err = ReadFile(dir / "err")};
}

bool HasEnded(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string stat;
  if (!std::getline(file, stat)) return true;
  // PID (NAME) STATE …, and the name may hold anything.
  std::size_t const name_end = stat.rfind(')');
  return name_end == std::string::npos || stat.substr(name_end).starts_with(") Z");
}

bool HaveProgram(std::string const& name) {
  char const* const path = ::getenv("PATH");
  std::istringstream directories(path == nullptr ? "" : path);
  std::string directory;
  while (std::getline(directories, directory, ':')) {
    if (::access((directory + "/" + name).c_str(), X_OK) == 0) return true;
  }
  return false;
}

}  // namespace tusfs_testing
