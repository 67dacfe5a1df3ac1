// Whether the place of a state directory is what it has to be: a disk of this machine, that keeps
// what is on it, and the one that it was.
//
// A rig whose disk for the state does not come up has an empty directory where it should be
// mounted. So a marker is put into that directory, beneath the mount, where nobody sees it as long
// as the disk is there: whoever finds it on the way to the state directory knows that it is not.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/error.h"

namespace tusfs {

/// The name of the marker.
constexpr char const* kNotMounted = "tusfs-disk-is-not-mounted";

/// Errors: EOPNOTSUPP with a sentence, for a directory in memory (tmpfs, ramfs), of which nothing
/// is left behind the machine's next start, unless `volatile_is_allowed`.
[[nodiscard]] Result<void> CheckLasting(std::filesystem::path const& directory,
                                        bool volatile_is_allowed);

/// Errors: ENODEV with a sentence, where there is a marker above `directory`, which need not be
/// there.
[[nodiscard]] Result<void> CheckDiskIsMounted(std::filesystem::path const& directory);

/// Puts a marker beneath the mount that `directory` is on, where that is another one than that of
/// "/", and it is not there yet. Returns where it is, nothing where none is needed. Errors: of the
/// kernel, which lets only root look beneath mounts; with a sentence.
[[nodiscard]] Result<std::optional<std::filesystem::path>> MarkBeneathDisk(
    std::filesystem::path const& directory);

}  // namespace tusfs
