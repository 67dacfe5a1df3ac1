// Making and ending a mount. The keeper's part of FUSE: no request passes through here.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/logger.h"

namespace tusfs {

struct MountOptions {
  std::string mountpoint;  ///< absolute
  std::string source;      ///< shown by mount(8) and df(1)
  bool allow_other = false;
  std::vector<std::string> kernel;  ///< noexec, nodev and the like
};

struct MountpointWishes {
  bool nonempty = false;  ///< it may have something in it
  bool make = false;      ///< it is made where it is missing, with its parents, mode 0755
};

/// What keeps a mount from being made at `mountpoint`; clears a stale tusfs mount on the way.
/// Returns the absolute path. Errors carry a sentence that names the way out; ENOENT, ENOTDIR,
/// ENOTEMPTY, EACCES and the like where a person has to do something.
[[nodiscard]] Result<std::string> PrepareMountpoint(std::string const& mountpoint,
                                                    MountpointWishes wishes, Logger const& logger);

/// Mounts. The mount lives for as long as somebody has this /dev/fuse, or a copy of it, open, and
/// until it is unmounted. Errors carry a sentence.
[[nodiscard]] Result<UniqueFd> MountFuse(MountOptions const& options);

/// Whether the mount behind a /dev/fuse is still there.
[[nodiscard]] bool IsConnected(UniqueFd const& device);

/// The filesystem behind a mount, as it was when it was mounted: tells a filesystem that has gone,
/// after the last of its mounts and of the files that were open in it, from one whose connection
/// was merely cut (umount -f, /sys/fs/fuse/connections/N/abort).
class MountedFilesystem {
 public:
  /// The topmost mount at `mountpoint`. Asks no filesystem.
  explicit MountedFilesystem(std::string mountpoint);

  /// Whether it has gone, its connection having ended. The kernel lets go of it a moment after
  /// that: waits for up to a second. False where nobody can tell.
  [[nodiscard]] bool HasGone() const;

 private:
  [[nodiscard]] bool IsThere() const;

  std::string const mountpoint_;
  std::string device_;                  ///< "MAJOR:MINOR"; empty: it was not mounted there
  std::string control_;                 ///< its directory in fusectl
  std::optional<std::uint64_t> known_;  ///< inode number of that; nothing: there is no fusectl
};

/// Takes the mount away where nobody uses it, as umount(8) does. False where somebody does, or it
/// is not a tusfs mount that is on top there, or that is not allowed.
bool UnmountUnused(std::string const& mountpoint);

/// Takes the mount away, lazily: what is open in it stays open while it is served. Returns whether
/// that worked.
bool Unmount(std::string const& mountpoint);

}  // namespace tusfs
