#include "program/state_directory.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "program/process.h"

namespace tusfs {
namespace {

// A link of one's own, to a larger disk, is followed; one of somebody else would choose for us.
bool IsStrangersLink(std::filesystem::path path) {
  if (!path.has_filename()) path = path.parent_path();  // "state/"
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 && S_ISLNK(status.st_mode) && status.st_uid != 0 &&
         status.st_uid != ::geteuid();
}

}  // namespace

// Paths of later daemons must not depend on where this one was started.
Result<std::filesystem::path> StateDirectoryOf(Options const& options,
                                               std::string const& mountpoint) {
  auto chosen = options.state_dir.empty() ? DefaultStateDirectory(mountpoint)
                                          : std::filesystem::path(options.state_dir);
  if (!chosen) return chosen;
  if (IsStrangersLink(*chosen)) {
    return Fail(EPERM, "the state directory '" + chosen->string() +
                           "' is a symbolic link of another user: name the directory itself with "
                           "--state-dir");
  }
  return std::filesystem::weakly_canonical(std::filesystem::absolute(*chosen));
}

}  // namespace tusfs
