#define FUSE_USE_VERSION 314
#include "fuse/mountpoint.h"

#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <climits>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>
#include <thread>
#include <vector>

namespace tusfs {
namespace {

constexpr char const* kType = "fuse.tusfs";
constexpr std::chrono::seconds kLettingGo{1};
constexpr std::chrono::milliseconds kLettingGoInterval{5};

// mountinfo writes space, tab, newline and backslash as octal.
std::string Unescape(std::string const& text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      plain += static_cast<char>(std::stoi(text.substr(i + 1, 3), nullptr, 8));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

struct MountLine {
  std::string type;
  std::string device;  ///< "MAJOR:MINOR"
};

// The topmost filesystem that is mounted exactly at `path`.
std::optional<MountLine> MountedAt(std::string const& path) {
  std::ifstream mounts("/proc/self/mountinfo");
  std::optional<MountLine> topmost;
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream words(line);
    std::string word;
    std::string device;
    for (int i = 0; i < 5; ++i) {
      words >> word;
      if (i == 2) device = word;
    }
    auto const mountpoint = Unescape(word);
    while (words >> word && word != "-") {
    }
    if (words >> word && mountpoint == path) topmost = {word, device};
  }
  return topmost;
}

std::optional<std::string> MountedType(std::string const& path) {
  auto const mounted = MountedAt(path);
  return mounted ? std::optional(mounted->type) : std::nullopt;
}

std::optional<std::uint64_t> InodeOf(std::string const& path) {
  struct stat status {};
  if (path.empty() || ::stat(path.c_str(), &status) != 0) return std::nullopt;
  return status.st_ino;
}

bool RunFusermount(std::vector<char const*> const& options, std::string const& mountpoint) {
  std::vector<char const*> words{"fusermount3"};
  words.insert(words.end(), options.begin(), options.end());
  words.insert(words.end(), {"--", mountpoint.c_str(), nullptr});
  pid_t const child = ::fork();
  if (child == 0) {
    ::execvp(words[0], const_cast<char* const*>(words.data()));
    ::_exit(127);
  }
  int status = 0;
  return child > 0 && ::waitpid(child, &status, 0) == child && status == 0;
}

std::string EscapeOption(std::string const& value) {
  std::string escaped;
  for (char const c : value) {
    if (c == ',' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return escaped;
}

// libfuse's own way to mount: with mount(2) for root, else through fusermount3.
using Session = std::unique_ptr<fuse_session, decltype(&::fuse_session_destroy)>;

Session NewSession(std::string& options) {
  std::string program = "tusfs";
  std::string flag = "-o";
  char* arguments[] = {program.data(), flag.data(), options.data(), nullptr};
  fuse_args parsed{.argc = 3, .argv = arguments, .allocated = 0};
  fuse_lowlevel_ops const none{};
  Session session(::fuse_session_new(&parsed, &none, sizeof none, nullptr), ::fuse_session_destroy);
  ::fuse_opt_free_args(&parsed);
  return session;
}

bool IsInPath(std::string const& program) {
  auto const* const path = std::getenv("PATH");
  std::istringstream directories(path == nullptr ? "/usr/bin:/bin" : path);
  for (std::string directory; std::getline(directories, directory, ':');) {
    if (::access((directory + "/" + program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

// libfuse and fusermount3 say themselves what they refuse.
std::string WhyNotMounted() {
  if (::access("/dev/fuse", F_OK) != 0) {
    return "there is no /dev/fuse: load it with 'modprobe fuse', or let the container have it";
  }
  if (::geteuid() != 0 && !IsInPath("fusermount3")) {
    return "only root may, or who has fusermount3, which is not installed: install fuse3";
  }
  return "the line above says why";
}

Result<void> ClearStaleMount(std::string const& path) {
  if (Unmount(path)) return {};
  return Fail(ENOTCONN, "'" + path +
                            "' is a mount whose daemon has died, and it cannot be cleared: run "
                            "'fusermount3 -u " +
                            path + "' as the user who mounted it, or as root");
}

}  // namespace

bool Unmount(std::string const& mountpoint) {
  return ::umount2(mountpoint.c_str(), MNT_DETACH) == 0 || RunFusermount({"-u", "-z"}, mountpoint);
}

bool UnmountUnused(std::string const& mountpoint) {
  if (MountedType(mountpoint) != kType) return false;
  if (::umount2(mountpoint.c_str(), 0) == 0) return true;
  return errno == EPERM && RunFusermount({"-u", "-q"}, mountpoint);
}

MountedFilesystem::MountedFilesystem(std::string mountpoint) : mountpoint_(std::move(mountpoint)) {
  auto const mounted = MountedAt(mountpoint_);
  if (!mounted || mounted->type != kType) return;
  device_ = mounted->device;
  control_ = "/sys/fs/fuse/connections/" + device_.substr(device_.find(':') + 1);
  known_ = InodeOf(control_);
}

bool MountedFilesystem::IsThere() const {
  if (known_) return InodeOf(control_) == known_;
  auto const mounted = MountedAt(mountpoint_);
  return mounted && mounted->device == device_;
}

bool MountedFilesystem::HasGone() const {
  if (device_.empty()) return false;
  auto const give_up = std::chrono::steady_clock::now() + kLettingGo;
  while (IsThere()) {
    if (std::chrono::steady_clock::now() > give_up) return false;
    std::this_thread::sleep_for(kLettingGoInterval);  // nobody tells of it
  }
  return true;
}

Result<UniqueFd> MountFuse(MountOptions const& options) {
  auto text = "fsname=" + EscapeOption(options.source) + ",subtype=tusfs,default_permissions";
  if (options.allow_other) text += ",allow_other";
  for (auto const& option : options.kernel) text += "," + option;
  auto const session = NewSession(text);
  if (session == nullptr) return Fail(EINVAL, "libfuse refuses the options: " + text);
  if (::fuse_session_mount(session.get(), options.mountpoint.c_str()) != 0) {
    return Fail(EIO, "cannot mount at '" + options.mountpoint + "': " + WhyNotMounted());
  }
  UniqueFd fd(::fcntl(::fuse_session_fd(session.get()), F_DUPFD_CLOEXEC, 0));
  if (!fd) {
    auto const failure = FailErrno("/dev/fuse");
    Unmount(options.mountpoint);
    return failure;
  }
  return fd;
}

bool IsConnected(UniqueFd const& device) {
  pollfd state{device.get(), 0, 0};
  return ::poll(&state, 1, 0) >= 0 && (state.revents & (POLLERR | POLLNVAL)) == 0;
}

namespace {

bool IsDeadMount(std::string const& path) {
  struct statfs alive {};
  // It asks the daemon; what stat says the kernel may still remember of a dead one. A request that
  // waits while the last process of a mount dies is aborted.
  return ::statfs(path.c_str(), &alive) != 0 && (errno == ENOTCONN || errno == ECONNABORTED);
}

// As mkdir -p does it, whatever the umask is: others have to come through.
Result<void> MakeDirectories(std::filesystem::path const& path) {
  constexpr mode_t kMode = 0755;
  struct stat status {};
  if (path.has_relative_path() && ::stat(path.parent_path().c_str(), &status) != 0 &&
      errno == ENOENT) {
    if (auto made = MakeDirectories(path.parent_path()); !made) return made;
  }
  if (::mkdir(path.c_str(), kMode) != 0) {
    return errno == EEXIST ? Result<void>()
                           : FailErrno("the mount point cannot be made: '" + path.string() + "'");
  }
  if (::chmod(path.c_str(), kMode) != 0) return FailErrno("'" + path.string() + "'");
  return {};
}

}  // namespace

Result<std::string> PrepareMountpoint(std::string const& mountpoint, MountpointWishes wishes,
                                      Logger const& logger) {
  auto path = std::filesystem::absolute(mountpoint).lexically_normal().string();
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  struct stat status {};
  if (IsDeadMount(path)) {
    auto const type = MountedType(path);
    if (type && *type != kType) {
      return Fail(ENOTCONN, "'" + path + "' is a dead mount of another program (" + *type +
                                "): clear it with 'umount -l " + path + "'");
    }
    if (auto cleared = ClearStaleMount(path); !cleared) return Failure(cleared.error());
    logger->Warn("cleared the mount that an earlier daemon left behind mount={}", path);
  }
  bool there = ::stat(path.c_str(), &status) == 0;
  if (!there && errno == ENOENT && wishes.make) {
    if (auto made = MakeDirectories(path); !made) return Failure(made.error());
    there = ::stat(path.c_str(), &status) == 0;
  }
  if (!there) {
    if (errno == ENOENT) {
      return Fail(ENOENT, "the mount point '" + path + "' does not exist: make it with 'mkdir -p " +
                              path + "', or give --make-mountpoint");
    }
    return FailErrno("the mount point '" + path + "'");
  }
  if (!S_ISDIR(status.st_mode)) {
    return Fail(ENOTDIR, "the mount point '" + path + "' is not a directory");
  }
  char resolved[PATH_MAX];
  if (::realpath(path.c_str(), resolved) == nullptr) return FailErrno(path);
  path = resolved;
  if (MountedType(path) == kType) {
    return Fail(EBUSY, "a tusfs is already mounted at '" + path + "': end it with 'umount " + path +
                           "', or name another mount point");
  }
  std::error_code failed;
  bool const empty = std::filesystem::is_empty(path, failed);
  if (failed) return Fail(failed.value(), "the mount point '" + path + "': " + failed.message());
  if (!empty && !wishes.nonempty) {
    return Fail(ENOTEMPTY, "the mount point '" + path +
                               "' is not empty, and a mount would hide what is in it: name an "
                               "empty directory, or give --import, which takes it into the mount, "
                               "or --nonempty, which leaves it there");
  }
  return path;
}

}  // namespace tusfs
