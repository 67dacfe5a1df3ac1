// Which mounts there are and where their control sockets are: one small file per mount in the
// user's runtime directory, so that tusfsctl finds a mount without touching it.
//
// $TUSFS_RUNTIME_DIR, else /run/tusfs for root, $XDG_RUNTIME_DIR/tusfs, or /tmp/tusfs-UID; mode
// 0700. The files are lost at a reboot, as the mounts are.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"

namespace tusfs {

struct MountEntry {
  std::string mount;  ///< absolute path of the mount point
  std::string url;    ///< endpoint
  std::string state_dir;
  std::string socket;  ///< path of the control socket
  pid_t daemon_pid = 0;
};

/// Where the running user's entries are; made where missing. Errors carry a sentence.
[[nodiscard]] Result<std::filesystem::path> RuntimeDirectory();

/// The socket's path for a mount point.
[[nodiscard]] std::filesystem::path SocketPath(std::filesystem::path const& runtime_directory,
                                               std::string const& mount);

[[nodiscard]] Result<void> RegisterMount(std::filesystem::path const& runtime_directory,
                                         MountEntry const& entry);
void UnregisterMount(std::filesystem::path const& runtime_directory, std::string const& mount);

/// The running user's mounts; root sees everybody's. Unreadable entries are left out.
[[nodiscard]] std::vector<MountEntry> ListMounts();

/// "mnt-ingest" for "/mnt/ingest": one path component from a path, reversibly, as systemd does.
[[nodiscard]] std::string EscapePath(std::string const& path);

}  // namespace tusfs
