// Making and ending a mount. The keeper's part of FUSE: no request passes through here.
#pragma once

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

/// What keeps a mount from being made at `mountpoint`; clears a stale tusfs mount on the way.
/// Returns the absolute path. Errors carry a sentence that names the way out.
[[nodiscard]] Result<std::string> PrepareMountpoint(std::string const& mountpoint, bool nonempty,
                                                    Logger const& logger);

/// Mounts. The mount lives for as long as somebody has this /dev/fuse, or a copy of it, open, and
/// until it is unmounted. Errors carry a sentence.
[[nodiscard]] Result<UniqueFd> MountFuse(MountOptions const& options);

/// Whether the mount behind a /dev/fuse is still there.
[[nodiscard]] bool IsConnected(UniqueFd const& device);

/// Takes the mount away, lazily: what is open in it stays open while it is served. Returns whether
/// that worked.
bool Unmount(std::string const& mountpoint);

}  // namespace tusfs
