#include "base/run_program.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <system_error>

#include "base/file.h"
#include "base/text.h"

extern char** environ;

namespace tusfs {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMostWords = 200;  // bytes
constexpr int kPollMilliseconds = 20;

/// 0 or an errno.
int Spawn(pid_t& pid, std::vector<std::string> const& argv, int output) {
  std::vector<char*> words;
  for (auto const& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
  ::posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  // Signals as every program expects them.
  sigset_t none{};
  sigset_t all{};
  ::sigemptyset(&none);
  ::sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(
      &attributes,
      static_cast<short>(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
  int const code = ::posix_spawnp(&pid, words[0], &actions, &attributes, words.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  return code;
}

/// Keeps the first words of what is there; whether there may be more.
bool Drain(int fd, std::string& words) {
  std::array<char, 4096> block{};
  auto const count = ::read(fd, block.data(), block.size());
  if (count < 0) return errno == EINTR;
  words.append(block.data(), std::min(static_cast<std::size_t>(count), kMostWords - words.size()));
  return count > 0;
}

std::string OneLine(std::string words) {
  while (!words.empty() && words.back() == '\n') words.pop_back();
  std::replace(words.begin(), words.end(), '\n', ' ');
  return Printable(words);
}

}  // namespace

Result<void> RunProgram(std::vector<std::string> const& argv, std::chrono::milliseconds timeout,
                        std::stop_token stop) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return FailErrno("cannot be started");
  UniqueFd const reading(ends[0]);
  UniqueFd writing(ends[1]);
  pid_t pid = 0;
  if (int const code = Spawn(pid, argv, writing.get()); code != 0) {
    return Fail(code, "cannot be started: " + std::generic_category().message(code));
  }
  writing.Reset();
  auto const deadline = Clock::now() + timeout;
  std::string words;
  int status = 0;
  pollfd output{.fd = reading.get(), .events = POLLIN, .revents = 0};
  while (true) {
    ::poll(&output, 1, kPollMilliseconds);
    // A child of the program that keeps the pipe open is not waited for.
    bool const silent = output.revents == 0;
    if (!silent && !Drain(reading.get(), words)) output.fd = -1;
    if ((silent || output.fd < 0) && ::waitpid(pid, &status, WNOHANG) == pid) break;
    if (!stop.stop_requested() && Clock::now() < deadline) continue;
    ::kill(-pid, SIGKILL);
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    if (stop.stop_requested()) return Fail(ECANCELED, "was stopped");
    return Fail(ETIMEDOUT, "did not end within " + std::to_string(timeout.count() / 1000) + " s");
  }
  if (status == 0) return {};
  auto const said = OneLine(words);
  return Fail(ECHILD,
              (WIFEXITED(status) ? "exited with status " + std::to_string(WEXITSTATUS(status))
                                 : "was killed by signal " + std::to_string(WTERMSIG(status))) +
                  (said.empty() ? "" : ": " + said));
}

}  // namespace tusfs
