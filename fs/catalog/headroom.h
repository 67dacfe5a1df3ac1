// Disk that a growing file has before it needs it, so that a full disk does not stop it.
#pragma once

#include <cstdint>

#include "base/error.h"

namespace tusfs {

/// Allocates the `bytes` behind the end of `fd`, whose size stays as it is; they are its own until
/// it is truncated. Cheap where they are allocated already. Errors: ENOSPC, and EOPNOTSUPP of disks
/// that cannot do that.
[[nodiscard]] Result<void> ReserveBehindEnd(int fd, std::uint64_t bytes);

}  // namespace tusfs
