// Checks of the mount point before anything is mounted on it.
#include <fcntl.h>
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
#include <optional>
#include <sstream>

#include "fuse/server.h"

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

Result<void> ClearStaleMount(std::string const& path) {
  if (::umount2(path.c_str(), MNT_DETACH) == 0) return {};
  pid_t const child = ::fork();
  if (child == 0) {
    ::execlp("fusermount3", "fusermount3", "-u", "-z", "--", path.c_str(), nullptr);
    ::_exit(127);
  }
  int status = 0;
  if (child > 0 && ::waitpid(child, &status, 0) == child && status == 0) return {};
  return Fail(ENOTCONN, "'" + path +
                            "' is a mount whose daemon has died, and it cannot be cleared: run "
                            "'fusermount3 -u " +
                            path + "' as the user who mounted it, or as root");
}

}  // namespace

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
    logger->warn("cleared the mount that an earlier daemon left behind mount={}", path);
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
