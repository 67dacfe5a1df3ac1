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
#include <climits>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <sstream>

namespace tusfs {
namespace {

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

// The type of the topmost filesystem that is mounted exactly at `path`.
std::optional<std::string> MountedType(std::string const& path) {
  std::ifstream mounts("/proc/self/mountinfo");
  std::optional<std::string> type;
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream words(line);
    std::string word;
    for (int i = 0; i < 5; ++i) words >> word;
    auto const mountpoint = Unescape(word);
    while (words >> word && word != "-") {
    }
    if (words >> word && mountpoint == path) type = word;
  }
  return type;
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

Result<void> ClearStaleMount(std::string const& path) {
  if (Unmount(path)) return {};
  return Fail(ENOTCONN, "'" + path +
                            "' is a mount whose daemon has died, and it cannot be cleared: run "
                            "'fusermount3 -u " +
                            path + "' as the user who mounted it, or as root");
}

}  // namespace

bool Unmount(std::string const& mountpoint) {
  if (::umount2(mountpoint.c_str(), MNT_DETACH) == 0) return true;
  pid_t const child = ::fork();
  if (child == 0) {
    ::execlp("fusermount3", "fusermount3", "-u", "-z", "--", mountpoint.c_str(), nullptr);
    ::_exit(127);
  }
  int status = 0;
  return child > 0 && ::waitpid(child, &status, 0) == child && status == 0;
}

Result<UniqueFd> MountFuse(MountOptions const& options) {
  auto text = "fsname=" + EscapeOption(options.source) + ",subtype=tusfs,default_permissions";
  if (options.allow_other) text += ",allow_other";
  for (auto const& option : options.kernel) text += "," + option;
  auto const session = NewSession(text);
  if (session == nullptr) return Fail(EINVAL, "libfuse refuses the options: " + text);
  if (::fuse_session_mount(session.get(), options.mountpoint.c_str()) != 0) {
    return Fail(EIO, "cannot mount at '" + options.mountpoint +
                         "' (see the line above): is /dev/fuse there, and fuse3 installed?");
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

Result<std::string> PrepareMountpoint(std::string const& mountpoint, bool nonempty,
                                      Logger const& logger) {
  auto path = std::filesystem::absolute(mountpoint).lexically_normal().string();
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  struct stat status {};
  struct statfs alive {};
  // statfs asks the daemon; what stat says the kernel may still remember of a dead one.
  if (::statfs(path.c_str(), &alive) != 0 && errno == ENOTCONN) {
    auto const type = MountedType(path);
    if (type && *type != "fuse.tusfs") {
      return Fail(ENOTCONN, "'" + path + "' is a dead mount of another program (" + *type +
                                "): clear it with 'umount -l " + path + "'");
    }
    if (auto cleared = ClearStaleMount(path); !cleared) return Failure(cleared.error());
    logger->Warn("cleared the mount that an earlier daemon left behind mount={}", path);
  }
  if (::stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) {
      return Fail(ENOENT, "the mount point '" + path + "' does not exist: make it with 'mkdir -p " +
                              path + "'");
    }
    return FailErrno("the mount point '" + path + "'");
  }
  if (!S_ISDIR(status.st_mode)) {
    return Fail(ENOTDIR, "the mount point '" + path + "' is not a directory");
  }
  char resolved[PATH_MAX];
  if (::realpath(path.c_str(), resolved) == nullptr) return FailErrno(path);
  path = resolved;
  if (MountedType(path) == "fuse.tusfs") {
    return Fail(EBUSY, "a tusfs is already mounted at '" + path + "': end it with 'umount " + path +
                           "', or name another mount point");
  }
  std::error_code failed;
  bool const empty = std::filesystem::is_empty(path, failed);
  if (failed) return Fail(failed.value(), "the mount point '" + path + "': " + failed.message());
  if (!empty && !nonempty) {
    return Fail(ENOTEMPTY, "the mount point '" + path +
                               "' is not empty, and a mount would hide what is in it: name an "
                               "empty directory, or give --nonempty");
  }
  return path;
}

}  // namespace tusfs
