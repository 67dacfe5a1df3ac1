// What the kernel says to a FUSE daemon and libfuse 3.14 does not pass on, read from the request's
// own bytes (linux/fuse.h). Pure functions.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>

namespace tusfs {

/// Whether a request is all there: as long as its header says, with the fields, names and bytes
/// that belong to it. libfuse reads them without a look at the length. The kernel's requests are
/// whole; what memory has kept from one daemon to the next need not be.
[[nodiscard]] bool IsWhole(std::span<std::byte const> request);

/// Whether this write, truncation or opening takes set-id bits and capabilities away from the file:
/// its caller has no right to keep them.
[[nodiscard]] bool DropsPrivileges(std::span<std::byte const> request);

/// Lets the answer to FUSE_INIT say that the daemon takes those away itself (HANDLE_KILLPRIV_V2),
/// where the kernel has offered it. Else it would ask for security.capability before every write.
/// `answer` are the pieces of the reply to `request`.
void TakeOverPrivileges(std::span<std::byte const> request, std::span<iovec> answer);

/// The number of the request that a FUSE_INTERRUPT is about; 0 for another request.
[[nodiscard]] std::uint64_t InterruptedBy(std::span<std::byte const> request);

}  // namespace tusfs
