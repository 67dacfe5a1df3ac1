#include "program/process.h"

#include <fcntl.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/sinks/syslog_sink.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "base/text.h"
#include "control/registry.h"
#include "program/journal_log.h"

namespace tusfs {
namespace {

constexpr std::chrono::seconds kLockPatience{3};
constexpr std::chrono::seconds kEndingPatience{120};  // gigabytes may be on their way to the disk
constexpr std::string_view kEnding = " (ending)";
constexpr std::size_t kLongestOwner = 64;
constexpr std::chrono::milliseconds kLockInterval{20};

off_t Length(std::string const& text) { return static_cast<off_t>(text.size()); }

// What the process that has the lock has written there.
std::string OwnerIn(UniqueFd const& lock) {
  std::string text(kLongestOwner, '\0');
  auto const got = ReadFully(lock.get(), std::as_writable_bytes(std::span(text)), 0);
  text.resize(got.value_or(0));
  return text;
}

// systemd names the device and inode of the journal's socket where stderr is one.
bool StderrIsTheJournal() {
  auto const* const stream = std::getenv("JOURNAL_STREAM");
  struct stat status {};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &status) != 0) return false;
  return std::string(stream) == std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
}

}  // namespace

void Complain(std::string const& sentence) {
  std::fprintf(stderr, "tusfs: %s\n", Printable(sentence).c_str());
}

Result<Background> Background::Enter() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return FailErrno("pipe");
  UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);
  pid_t const child = ::fork();
  if (child < 0) return FailErrno("fork");
  // The child stays in its process group until it is ready: autofs knows by that who makes the
  // mount that all others wait for.
  if (child == 0) return Background(std::move(writing));
  writing.Reset();
  char answer = 0;
  ssize_t got = 0;
  do {
    got = ::read(reading.get(), &answer, 1);
  } while (got < 0 && errno == EINTR);
  if (got == 1) ::_exit(0);
  int status = 0;
  ::waitpid(child, &status, 0);
  ::_exit(WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : 1);
}

void LeaveTerminal() {
  ::setsid();
  UniqueFd const null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (int const fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(null.get(), fd);
  [[maybe_unused]] auto const moved = ::chdir("/");
}

void Background::Ready() {
  LeaveTerminal();
  // The parent may be gone already (killed); then nobody waits for this.
  char const done = 1;
  [[maybe_unused]] auto const written = ::write(pipe_.get(), &done, 1);
  pipe_.Reset();
}

Result<UniqueFd> LockStateDirectory(PrivateDirectory const& directory) {
  auto lock = directory.OpenFile("lock", O_RDWR | O_CREAT);
  if (!lock) return lock;
  auto const start = std::chrono::steady_clock::now();
  // flock(2) has no time limit of its own.
  while (::flock(lock->get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return FailErrno("lock");
    auto const owner = OwnerIn(*lock);
    auto const patience = owner.ends_with(kEnding) ? kEndingPatience : kLockPatience;
    if (std::chrono::steady_clock::now() > start + patience) {
      return Fail(EBUSY, "the state directory '" + directory.path().string() +
                             "' is in use by another tusfs" +
                             (owner.empty() ? "" : " (process " + owner + ")") +
                             ": unmount that one, or name another --state-dir");
    }
    std::this_thread::sleep_for(kLockInterval);
  }
  // Over what is there, which a full disk has room for. The text is for people, and a lock without
  // one is a lock.
  auto const pid = std::to_string(::getpid());
  bool const written = WriteFully(lock->get(), std::as_bytes(std::span(pid)), 0).has_value();
  [[maybe_unused]] auto const cut = ::ftruncate(lock->get(), written ? Length(pid) : 0);
  return lock;
}

void MarkEnding(UniqueFd const& lock) {
  auto const text = std::to_string(::getpid()) + std::string(kEnding);
  // Only how long the next daemon waits depends on it.
  [[maybe_unused]] auto const written = WriteFully(lock.get(), std::as_bytes(std::span(text)), 0);
}

Result<std::filesystem::path> DefaultStateDirectory(std::string const& mountpoint) {
  auto const name = EscapePath(mountpoint);
  if (::geteuid() == 0) return std::filesystem::path("/var/lib/tusfs") / name;
  if (auto const* state = std::getenv("XDG_STATE_HOME"); state != nullptr && state[0] == '/') {
    return std::filesystem::path(state) / "tusfs" / name;
  }
  if (auto const* home = std::getenv("HOME"); home != nullptr && home[0] == '/') {
    return std::filesystem::path(home) / ".local/state/tusfs" / name;
  }
  return Fail(ENOENT,
              "no place for the state: neither XDG_STATE_HOME nor HOME is set; name one "
              "with --state-dir");
}

Logger MakeLogger(LogLevel least, bool foreground, std::string const& mount) {
  if (StderrIsTheJournal()) return MakeJournalLogger(least, mount);
  spdlog::sink_ptr sink;
  if (foreground) {
    sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  } else {
    sink = std::make_shared<spdlog::sinks::syslog_sink_mt>("tusfs", LOG_PID, LOG_DAEMON, false);
  }
  auto logger = std::make_shared<spdlog::logger>("tusfs", std::move(sink));
  logger->set_pattern(foreground ? "%Y-%m-%dT%H:%M:%S.%e %l %v" : "%v");
  logger->set_level(spdlog::level::debug);
  logger->flush_on(spdlog::level::debug);
  return std::make_shared<Log>(std::move(logger), least);
}

}  // namespace tusfs
