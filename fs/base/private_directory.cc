#include "base/private_directory.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace tusfs {
namespace {

constexpr mode_t kOthersWrite = S_IWGRP | S_IWOTH;

bool IsLink(std::filesystem::path const& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 && S_ISLNK(status.st_mode);
}

/// Takes the right to write from others, where nothing of theirs can be in it.
bool Close(std::filesystem::path const& path, int fd, mode_t mode) {
  bool const shared = (mode & S_ISVTX) != 0;  // as /tmp is, on purpose
  std::error_code failed;
  if (shared || !std::filesystem::is_empty(path, failed) || failed) return false;
  if (::fchmod(fd, mode & 07777 & ~kOthersWrite) != 0) return false;
  if (std::filesystem::is_empty(path, failed) && !failed) return true;
  ::fchmod(fd, mode & 07777);  // somebody was quicker
  return false;
}

}  // namespace

Result<PrivateDirectory> PrivateDirectory::Open(std::filesystem::path const& path) {
  auto const named = "'" + path.string() + "'";
  std::error_code ignored;
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), ignored);
  int const not_made = ::mkdir(path.c_str(), 0700) == 0 ? 0 : errno;
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd && IsLink(path)) {
    return Fail(ENOTDIR, named + " is a symbolic link: name the directory itself");
  }
  if (!fd) {
    errno = errno == ENOENT && not_made != 0 ? not_made : errno;
    return FailErrno(path.string());
  }
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return FailErrno(path.string());
  if (status.st_uid != ::geteuid()) {
    return Fail(EPERM,
                named + " belongs to another user (number " + std::to_string(status.st_uid) + ")");
  }
  if ((status.st_mode & kOthersWrite) != 0 && !Close(path, fd.get(), status.st_mode)) {
    return Fail(EPERM, named +
                           " can be written by other users: look at what is in it, and say "
                           "'chmod go-w " +
                           path.string() + "'");
  }
  return PrivateDirectory(path, std::move(fd));
}

Result<UniqueFd> PrivateDirectory::OpenFile(std::string const& name, int flags) const {
  // What is no regular file must not hold this process up before it is seen to be none.
  UniqueFd fd(::openat(fd_.get(), name.c_str(), flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600));
  if (!fd) return FailErrno((path_ / name).string());
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return FailErrno((path_ / name).string());
  if (!S_ISREG(status.st_mode)) return Fail(EINVAL, (path_ / name).string() + ": no regular file");
  return fd;
}

bool PrivateDirectory::Has(std::string const& name) const {
  struct stat status {};
  return ::fstatat(fd_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
}

void PrivateDirectory::Remove(std::string const& name) const {
  ::unlinkat(fd_.get(), name.c_str(), 0);
}

}  // namespace tusfs
