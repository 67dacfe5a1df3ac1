#include "program/exit_status.h"

#include <cerrno>

namespace tusfs {

int ExitStatusFor(Error const& error) {
  switch (error.code) {
    case EINVAL:
    // Of the mount point and the state directory: not there, no directory, not empty, not ours.
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
    case ENOTEMPTY:
    case EACCES:
    case EPERM:
    case ELOOP:
    case ENAMETOOLONG:
    case EOPNOTSUPP:  // a filesystem that is none of this machine
    case EXDEV:       // uploads to another URL
    case EPROTO:      // the catalog of a later release
      return kWrongConfiguration;
    default:
      return kMayMendItself;
  }
}

}  // namespace tusfs
