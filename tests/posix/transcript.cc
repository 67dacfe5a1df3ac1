#include "posix/transcript.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <exception>
#include <sstream>
#include <system_error>

namespace tusfs_testing {
namespace {

constexpr auto kLimit = std::chrono::seconds(100);  // of one scenario

std::string ErrorName(int error) {
  char const* const name = ::strerrorname_np(error);
  return name != nullptr ? name : "errno " + std::to_string(error);
}

// Without the :: that calls of the system have in our code.
std::string Plain(std::string_view call) {
  return std::string(call.starts_with("::") ? call.substr(2) : call);
}

char TypeLetter(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return '-';
    case S_IFDIR:
      return 'd';
    case S_IFLNK:
      return 'l';
    case S_IFIFO:
      return 'p';
    case S_IFSOCK:
      return 's';
    case S_IFCHR:
      return 'c';
    case S_IFBLK:
      return 'b';
    default:
      return '?';
  }
}

std::string Describe(struct stat const& status) {
  std::ostringstream text;
  text << TypeLetter(status.st_mode) << std::oct << (status.st_mode & 07777) << std::dec
       << " links " << status.st_nlink << " owner " << status.st_uid << ':' << status.st_gid;
  if (!S_ISDIR(status.st_mode)) text << " size " << status.st_size;
  if (S_ISCHR(status.st_mode) || S_ISBLK(status.st_mode)) {
    text << " device " << major(status.st_rdev) << ',' << minor(status.st_rdev);
  }
  return text.str();
}

std::string Movement(timespec const& before, timespec const& after) {
  if (before.tv_sec == after.tv_sec && before.tv_nsec == after.tv_nsec) return "stayed";
  bool const later = after.tv_sec > before.tv_sec ||
                     (after.tv_sec == before.tv_sec && after.tv_nsec > before.tv_nsec);
  return later ? "moved" : "went back";
}

std::string Serialize(std::vector<Line> const& lines) {
  std::string text;
  for (auto const& line : lines) {
    text += line.what + '\0' + line.outcome + '\0';
  }
  return text;
}

std::vector<Line> Parse(std::string const& text) {
  std::vector<Line> lines;
  std::istringstream in(text);
  for (Line line; std::getline(in, line.what, '\0') && std::getline(in, line.outcome, '\0');) {
    lines.push_back(line);
  }
  return lines;
}

void Become(Person const& person) {
  bool const done = ::setgroups(person.groups.size(), person.groups.data()) == 0 &&
                    ::setresgid(person.gid, person.gid, person.gid) == 0 &&
                    ::setresuid(person.uid, person.uid, person.uid) == 0;
  if (!done) throw std::system_error(errno, std::generic_category(), "setresuid");
}

// Everything that comes out of the descriptor until its end, or until the time is up (false).
bool ReadAll(int fd, std::string& text) {
  auto const deadline = std::chrono::steady_clock::now() + kLimit;
  std::array<char, 65536> buffer{};
  while (true) {
    auto const left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd ready{fd, POLLIN, 0};
    if (left.count() <= 0 || ::poll(&ready, 1, static_cast<int>(left.count())) == 0) return false;
    ssize_t const got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return true;
    text.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

// The lines that `body` adds to a transcript, in a child process.
std::vector<Line> InChild(std::function<void(Transcript&)> const& body) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    throw std::system_error(errno, std::generic_category(), "pipe");
  pid_t const child = ::fork();
  if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (child == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    Transcript transcript;
    try {
      body(transcript);
    } catch (std::exception const& error) {
      transcript.Fact("the scenario was left", error.what());
    }
    auto const text = Serialize(transcript.lines());
    for (std::size_t sent = 0; sent < text.size();) {
      ssize_t const wrote = ::write(ends[1], text.data() + sent, text.size() - sent);
      if (wrote <= 0) ::_exit(1);
      sent += static_cast<std::size_t>(wrote);
    }
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string text;
  bool const ended = ReadAll(ends[0], text);
  ::close(ends[0]);
  if (!ended) ::kill(child, SIGKILL);
  int status = 0;
  ::waitpid(child, &status, 0);
  auto lines = Parse(text);
  if (!ended) lines.push_back({"the scenario", "did not come to its end"});
  if (ended && status != 0) lines.push_back({"the scenario ended with", std::to_string(status)});
  return lines;
}

}  // namespace

Person const& Root() {
  static Person const root{.name = "root"};
  return root;
}

Person const& User() {
  static Person const user{.name = "an ordinary user",
                           .uid = kUserId,
                           .gid = kUserId,
                           .groups = {kSharedGroup, kUsersGroup}};
  return user;
}

Person const& Stranger() {
  static Person const stranger{
      .name = "a stranger", .uid = kStrangerId, .gid = kStrangerId, .groups = {kSharedGroup}};
  return stranger;
}

void Transcript::Say(std::string heading) { lines_.push_back({std::move(heading), ""}); }

void Transcript::Fact(std::string what, std::string outcome) {
  lines_.push_back({std::move(what), outcome.empty() ? "nothing" : std::move(outcome)});
}

long Transcript::Note(char const* call, long returned) {
  int const error = errno;
  Fact(Plain(call), returned == -1 ? ErrorName(error) : std::to_string(returned));
  return returned;
}

int Transcript::NoteOpen(char const* call, int descriptor) {
  int const error = errno;
  Fact(Plain(call), descriptor == -1 ? ErrorName(error) : "open");
  return descriptor;
}

void Transcript::Look(std::string const& path) {
  struct stat status {};
  int const error = ::lstat(path.c_str(), &status) == 0 ? 0 : errno;
  // Names may be long on purpose.
  Fact("lstat " + path.substr(0, 60), error == 0 ? Describe(status) : ErrorName(error));
}

void Transcript::LookAt(int descriptor) {
  struct stat status {};
  int const error = ::fstat(descriptor, &status) == 0 ? 0 : errno;
  Fact("fstat", error == 0 ? Describe(status) : ErrorName(error));
}

void Transcript::Bytes(std::string what, std::string const& bytes) {
  auto outcome = std::to_string(bytes.size()) + " bytes: ";
  if (bytes.size() <= 40) {
    for (char const c : bytes) outcome += c == '\0' ? '.' : c;
  } else {
    outcome += std::to_string(std::hash<std::string>()(bytes));
  }
  Fact(std::move(what), std::move(outcome));
}

void Transcript::Content(std::string const& path) {
  int const fd = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return Fact("content of " + path, ErrorName(errno));
  Bytes("content of " + path, BytesOf(fd));
  ::close(fd);
}

void Transcript::Effect(std::initializer_list<char const*> paths,
                        std::function<void()> const& action) {
  std::vector<struct stat> before(paths.size());
  std::size_t i = 0;
  for (auto const* path : paths) ::lstat(path, &before[i++]);
  WaitForTick();
  action();
  i = 0;
  for (auto const* path : paths) {
    struct stat after {};
    auto const& was = before[i++];
    std::string outcome = "is gone";
    if (::lstat(path, &after) == 0) {
      outcome = "mtime " + Movement(was.st_mtim, after.st_mtim) + ", ctime " +
                Movement(was.st_ctim, after.st_ctim);
    }
    Fact(std::string("then ") + path, outcome);
  }
}

void Transcript::EffectOnAccess(char const* path, std::function<void()> const& action) {
  struct stat before {};
  struct stat after {};
  ::lstat(path, &before);
  WaitForTick();
  action();
  ::lstat(path, &after);
  Fact(std::string("then atime of ") + path, Movement(before.st_atim, after.st_atim));
}

void Transcript::As(Person const& person, std::function<void()> const& action) {
  Say("as " + std::string(person.name));
  auto const mine = lines_.size();
  auto const lines = InChild([&](Transcript& child) {
    Become(person);
    action();  // which notes into the child's copy of this transcript
    for (std::size_t i = mine; i < lines_.size(); ++i) {
      child.lines_.push_back(lines_[i]);
    }
  });
  lines_.insert(lines_.end(), lines.begin(), lines.end());
  Say("as before");
}

void Transcript::InAnotherProcess(std::function<void()> const& action) {
  Say("in another process");
  auto const mine = lines_.size();
  auto const lines = InChild([&](Transcript& child) {
    action();
    for (std::size_t i = mine; i < lines_.size(); ++i) child.lines_.push_back(lines_[i]);
  });
  lines_.insert(lines_.end(), lines.begin(), lines.end());
  Say("in the first process");
}

std::vector<Line> Transcribe(Scenario const& scenario, std::string const& directory,
                             Person const& person) {
  return InChild([&](Transcript& transcript) {
    if (::chdir(directory.c_str()) != 0) {
      throw std::system_error(errno, std::generic_category(), directory);
    }
    Become(person);
    ::umask(022);
    scenario(transcript);
  });
}

void WaitForTick() {
  timespec start{};
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &start);
  do {
    constexpr timespec kShort{0, 500'000};
    ::nanosleep(&kShort, nullptr);
    ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  } while (now.tv_sec < start.tv_sec ||
           (now.tv_sec == start.tv_sec && now.tv_nsec <= start.tv_nsec));
}

std::string BytesOf(int descriptor) {
  std::string bytes;
  std::array<char, 65536> buffer{};
  while (true) {
    ssize_t const got =
        ::pread(descriptor, buffer.data(), buffer.size(), static_cast<off_t>(bytes.size()));
    if (got <= 0) return bytes;
    bytes.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

std::string Octal(mode_t mode) {
  std::ostringstream text;
  text << '0' << std::oct << mode;
  return text.str();
}

void Put(std::string const& path, std::string_view bytes, mode_t mode) {
  int const fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  bool const done = fd >= 0 &&
                    ::write(fd, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()) &&
                    ::fchmod(fd, mode) == 0;
  if (fd >= 0) ::close(fd);
  if (!done) throw std::system_error(errno, std::generic_category(), path);
}

}  // namespace tusfs_testing
