// What kind of filesystem a directory is on.
#pragma once

#include <filesystem>
#include <string>

#include "base/error.h"

namespace tusfs {

/// The type of the filesystem that `directory` is on, as mount(8) names it; empty where the kernel
/// does not tell.
[[nodiscard]] std::string FilesystemTypeOf(std::filesystem::path const& directory);

/// Errors: EOPNOTSUPP with a sentence, for a directory on a network filesystem: what was written
/// there is not safe when it is said to be, and waits for a server.
[[nodiscard]] Result<void> CheckLocalDisk(std::filesystem::path const& directory);

/// Bytes of the disk that `directory` is on. Errors: of statvfs(2).
[[nodiscard]] Result<std::uint64_t> DiskSize(std::filesystem::path const& directory);

}  // namespace tusfs
