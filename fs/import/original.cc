#include "import/original.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>

#include "import/marks.h"

namespace tusfs {
namespace {

Failure NoLease() {
  if (errno == EAGAIN) return Fail(EBUSY, "somebody has it open for writing");
  if (errno == EACCES) {
    return Fail(EPERM,
                "it is another user's, and whether that writes to it is told to whoever has "
                "CAP_LEASE alone");
  }
  return Fail(EPERM, "its filesystem does not tell whether somebody writes to it: " +
                         std::string(std::strerror(errno)));
}

}  // namespace

Result<Original> Original::Open(int directory, std::string const& name) {
  UniqueFd fd(::openat(directory, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd) return FailErrno("it cannot be opened");
  if (::fcntl(fd.get(), F_SETLEASE, F_RDLCK) != 0) return NoLease();
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return FailErrno("it cannot be looked at");
  if (!S_ISREG(status.st_mode)) return Fail(ESTALE, "it is another thing than it was");
  return Original(directory, name, std::move(fd), status);
}

Result<void> Original::CheckUnchanged() const {
  if (::fcntl(fd_.get(), F_GETLEASE) != F_RDLCK)
    return Fail(EBUSY, "somebody wants to write to it");
  struct stat now {};
  if (::fstat(fd_.get(), &now) != 0) return FailErrno("it cannot be looked at");
  struct stat named {};
  bool const has_name = ::fstatat(directory_, name_.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
                        named.st_ino == now.st_ino && named.st_dev == now.st_dev;
  if (!has_name || MarkOf(now) != MarkOf(status_)) return Fail(EBUSY, "it is being changed");
  return {};
}

}  // namespace tusfs
