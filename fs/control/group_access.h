// A second control socket, at which members of a group may ask how a mount is (--control-group).
//
// The first one lies in a directory that is its user's alone. This one lies where everybody comes
// through, and who has connected is asked of the kernel; so nobody has to be given the socket.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>

#include "base/error.h"
#include "control/registry.h"

namespace tusfs {

/// The group of that name, or number. Errors: ENOENT with a sentence.
[[nodiscard]] Result<gid_t> FindGroup(std::string const& name);

/// Whether the process behind a connected socket is of `group`: its own group, or a further one.
[[nodiscard]] bool IsOfGroup(int connection, gid_t group);

/// The socket of the mount at `mount` of the user `owner`.
[[nodiscard]] std::filesystem::path GroupSocketPath(uid_t owner, std::string const& mount);

/// Makes its directory, which this user alone may write to. Errors: a sentence.
[[nodiscard]] Result<void> MakeGroupDirectory();

/// The mount of another user that `path`, which is absolute, is in, where that user lets a group
/// ask. Says what the kernel knows of it, and its socket.
[[nodiscard]] std::optional<MountEntry> MountForGroup(std::string const& path);

}  // namespace tusfs
