// Which mounts there are and where their control sockets are: one small file per mount in the
// user's runtime directory, so that tusfsctl finds a mount without touching it.
//
// $TUSFS_RUNTIME_DIR, else /run/tusfs for root, $XDG_RUNTIME_DIR/tusfs, or /tmp/tusfs-UID; mode
// 0700. The files are lost at a reboot, as the mounts are.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/mount_table.h"

namespace tusfs {

struct MountEntry {
  std::string mount;  ///< absolute path of the mount point
  std::string url;    ///< endpoint
  std::string state_dir;
  std::string socket;         ///< path of the control socket
  pid_t daemon_pid = 0;       ///< 0: none runs now
  std::uint64_t starts = 0;   ///< daemons that have served this mount
  std::uint64_t reloads = 0;  ///< how often its configuration was read again, for good or not
  std::string last_end = {};  ///< how the last daemon that crashed ended
  std::string problem = {};   ///< what a person should know of the keeper
  std::string import = {};    ///< what was taken in that lay beneath the mount; empty: nothing did
  /// Another user's, whose keeper nobody else sees. Not in the registry.
  bool is_others = false;
  pid_t keeper_pid = 0;  ///< as the daemon knows it. Not in the registry.
  /// Who tells the daemon how writers end after they have closed a file: pidfd, connector or
  /// nobody. Not in the registry.
  std::string writer_ends = {};
};

/// Where the running user's entries are; made where missing. Errors carry a sentence.
[[nodiscard]] Result<std::filesystem::path> RuntimeDirectory();

/// The socket's path for a mount point.
[[nodiscard]] std::filesystem::path SocketPath(std::filesystem::path const& runtime_directory,
                                               std::string const& mount);

[[nodiscard]] Result<void> RegisterMount(std::filesystem::path const& runtime_directory,
                                         MountEntry const& entry);
void UnregisterMount(std::filesystem::path const& runtime_directory, std::string const& mount);

/// Makes this process the keeper of the mount, for as long as the descriptor is open; waits for one
/// that is just ending, and calls `on_wait` with its number where that takes a second. Errors:
/// EBUSY with a sentence.
[[nodiscard]] Result<UniqueFd> LockMount(std::filesystem::path const& runtime_directory,
                                         std::string const& mount,
                                         std::function<void(pid_t)> on_wait = {});

/// The process that keeps the mount now; 0: none.
[[nodiscard]] pid_t KeeperOf(MountEntry const& entry);

/// The running user's mounts; root sees everybody's. Unreadable entries are left out.
[[nodiscard]] std::vector<MountEntry> ListMounts();

/// Who has mounted the tusfs of that line; nothing where it is none.
[[nodiscard]] std::optional<uid_t> OwnerOfTusfs(MountLine const& line);

/// "mnt-ingest" for "/mnt/ingest": one path component from a path, reversibly, as systemd does.
[[nodiscard]] std::string EscapePath(std::string const& path);

}  // namespace tusfs
