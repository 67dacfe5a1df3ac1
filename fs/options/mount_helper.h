// The command line of mount.tusfs, by which mount(8) and fstab(5) make a mount of type tusfs:
//
//   mount.tusfs URL MOUNTPOINT [-sfnv] [-N NAMESPACE] [-o OPTIONS] [-t TYPE]
#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace tusfs {

/// Whether a program that was started as `program` (argv[0]) is mount.tusfs.
[[nodiscard]] bool IsMountHelper(std::string const& program);

struct MountHelperWords {
  std::vector<std::string> arguments;  ///< for ParseCommandLine, argv[0] included
  bool fake = false;                   ///< say what is wrong, and mount nothing
  /// Of "tusfs@NAME.service" in place of the URL: the service that mounts, and where.
  std::string service = {};
  std::string mountpoint = {};
};

/// -n, -s, -t and -v are for others, and nothing here. Errors: EINVAL with a sentence, for -N and
/// for what there is not.
[[nodiscard]] Result<MountHelperWords> ReadMountHelper(std::vector<std::string> const& words);

/// As mount(8) wants it: `status` is one of exit_status.h.
[[nodiscard]] int MountHelperStatus(int status);

}  // namespace tusfs
