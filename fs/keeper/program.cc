#include "keeper/program.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <system_error>

namespace tusfs {
namespace {

constexpr int kCannotExecute = 127;
constexpr std::string_view kDeleted = " (deleted)";  // what /proc adds to a file that is gone

}  // namespace

bool HasCrashed(int status) {
  if (!WIFSIGNALED(status)) return false;
  auto const number = WTERMSIG(status);
  return number == SIGSEGV || number == SIGBUS || number == SIGABRT || number == SIGFPE ||
         number == SIGILL;
}

bool Program::IsScript(int image) {
  char begin[2] = {};
  return ::pread(image, begin, sizeof begin, 0) == sizeof begin && begin[0] == '#' &&
         begin[1] == '!';
}

Result<Program> Program::Own() {
  std::error_code failed;
  auto path = std::filesystem::read_symlink("/proc/self/exe", failed).string();
  if (failed) return Fail(failed.value(), "/proc/self/exe: " + failed.message());
  if (path.ends_with(kDeleted)) path.resize(path.size() - kDeleted.size());
  auto image = OpenFile("/proc/self/exe", O_RDONLY);
  if (!image) return Failure(image.error());
  return Program(path, std::move(*image));
}

Result<Program> Program::Installed() const {
  auto image = OpenFile(path_, O_RDONLY);
  if (!image) return Failure(image.error());
  if (::access(path_.c_str(), X_OK) != 0) return FailErrno(path_.string());
  return Program(path_, std::move(*image));
}

Result<pid_t> Program::Start(std::vector<std::string> const& arguments,
                             std::vector<std::string> const& environment,
                             std::vector<int> const& kept) const {
  std::string name = "tusfs";
  std::vector<char*> argv{name.data()};
  for (auto const& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  std::vector<char*> envp;
  for (auto const& variable : environment) envp.push_back(const_cast<char*>(variable.c_str()));
  for (char** variable = environ; *variable != nullptr; ++variable) envp.push_back(*variable);
  envp.push_back(nullptr);
  pid_t const child = ::fork();
  if (child < 0) return FailErrno("fork");
  if (child > 0) return child;
  for (int const fd : kept) ::fcntl(fd, F_SETFD, 0);
  sigset_t none{};
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  // Its interpreter would look for a script behind a descriptor that exec has closed.
  if (is_script_) ::execve(path_.c_str(), argv.data(), envp.data());
  if (!is_script_) ::fexecve(image_.get(), argv.data(), envp.data());
  std::fprintf(stderr, "tusfs: '%s' cannot be executed: %s\n", path_.c_str(),
               std::generic_category().message(errno).c_str());
  ::_exit(kCannotExecute);
}

}  // namespace tusfs
