#include "command.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>
#include <system_error>

#include "fail.h"
#include "text.h"

extern char** environ;

namespace tus {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxOutput = std::size_t{64} << 10;
constexpr std::size_t kMaxWords = 200;
constexpr int kPollMilliseconds = 20;

/// Both ends of a pipe, closed in children.
class Pipe {
 public:
  Pipe() { ok_ = ::pipe2(ends_.data(), O_CLOEXEC) == 0; }
  ~Pipe() {
    CloseWriting();
    if (ok_) ::close(ends_[0]);
  }
  Pipe(Pipe const&) = delete;
  Pipe& operator=(Pipe const&) = delete;

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] int reading() const { return ends_[0]; }
  [[nodiscard]] int writing() const { return ends_[1]; }
  void CloseWriting() {
    if (ok_ && ends_[1] >= 0) ::close(std::exchange(ends_[1], -1));
  }

 private:
  std::array<int, 2> ends_{-1, -1};
  bool ok_ = false;
};

/// What a child is started with: its files, its group, and signals as every program expects them.
class SpawnSettings {
 public:
  SpawnSettings(int output, int errors) {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
    sigset_t none{};
    sigset_t all{};
    ::sigemptyset(&none);
    ::sigfillset(&all);
    auto const flags = POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    ok_ = ::posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0) ==
              0 &&
          ::posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO) == 0 &&
          ::posix_spawn_file_actions_adddup2(&actions_, errors, STDERR_FILENO) == 0 &&
          ::posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1) == 0 &&
          ::posix_spawnattr_setpgroup(&attributes_, 0) == 0 &&
          ::posix_spawnattr_setsigmask(&attributes_, &none) == 0 &&
          ::posix_spawnattr_setsigdefault(&attributes_, &all) == 0 &&
          ::posix_spawnattr_setflags(&attributes_, static_cast<short>(flags)) == 0;
  }
  ~SpawnSettings() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }
  SpawnSettings(SpawnSettings const&) = delete;
  SpawnSettings& operator=(SpawnSettings const&) = delete;

  /// 0 or an errno.
  int Spawn(pid_t& pid, std::vector<std::string> const& argv) const {
    if (!ok_) return ENOMEM;
    std::vector<char*> words;
    for (auto const& word : argv) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    return ::posix_spawnp(&pid, words[0], &actions_, &attributes_, words.data(), environ);
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
  bool ok_ = false;
};

/// Appends what is there; whether there may be more.
bool Drain(int fd, std::string& text) {
  std::array<char, 4096> block{};
  auto const count = ::read(fd, block.data(), block.size());
  if (count < 0) return errno == EINTR || errno == EAGAIN;
  if (text.size() < kMaxOutput) text.append(block.data(), static_cast<std::size_t>(count));
  return count > 0;
}

struct Ended {
  int status = 0;
  std::string output;
  std::string errors;
};

/// Nothing where it had to be killed.
std::optional<Ended> WaitFor(pid_t pid, Pipe const& output, Pipe const& errors,
                             Clock::time_point deadline, std::stop_token const& stop) {
  Ended ended;
  std::array<pollfd, 2> fds{pollfd{.fd = output.reading(), .events = POLLIN, .revents = 0},
                            pollfd{.fd = errors.reading(), .events = POLLIN, .revents = 0}};
  while (true) {
    ::poll(fds.data(), fds.size(), kPollMilliseconds);
    if (fds[0].revents != 0 && !Drain(fds[0].fd, ended.output)) fds[0].fd = -1;
    if (fds[1].revents != 0 && !Drain(fds[1].fd, ended.errors)) fds[1].fd = -1;
    // A child of the program that keeps the pipe open is not waited for.
    bool const silent = (fds[0].revents | fds[1].revents) == 0 || (fds[0].fd < 0 && fds[1].fd < 0);
    if (silent && ::waitpid(pid, &ended.status, WNOHANG) == pid) return ended;
    if (stop.stop_requested() || Clock::now() >= deadline) return std::nullopt;
  }
}

void KillGroup(pid_t pid) {
  ::kill(-pid, SIGKILL);
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

tl::unexpected<Error> Trouble(std::vector<std::string> const& argv, std::string const& what) {
  return Fail(ErrorCode::kUnauthorized,
              "the program '" + FirstWords(argv.front(), kMaxWords) + "' " + what);
}

}  // namespace

Result<std::string> RunCommand(std::vector<std::string> const& argv,
                               std::chrono::milliseconds timeout, std::stop_token stop) {
  if (argv.empty()) return Fail(ErrorCode::kUnauthorized, "there is no program to run");
  Pipe output;
  Pipe errors;
  if (!output.ok() || !errors.ok()) return Trouble(argv, "cannot be run: no pipe");
  pid_t pid = 0;
  auto const code = SpawnSettings(output.writing(), errors.writing()).Spawn(pid, argv);
  if (code != 0) return Trouble(argv, "cannot be run: " + std::system_category().message(code));
  output.CloseWriting();
  errors.CloseWriting();

  auto const ended = WaitFor(pid, output, errors, Clock::now() + timeout, stop);
  if (!ended) {
    KillGroup(pid);
    if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "the request was cancelled");
    return Trouble(argv, "did not end within " + std::to_string(timeout.count()) + " ms");
  }
  if (ended->status == 0) return ended->output;
  auto const words = FirstWords(ended->errors, kMaxWords);
  auto const how = WIFEXITED(ended->status)
                       ? "exited with status " + std::to_string(WEXITSTATUS(ended->status))
                       : "was killed by signal " + std::to_string(WTERMSIG(ended->status));
  return Trouble(argv, how + (words.empty() ? "" : ": " + words));
}

}  // namespace tus
