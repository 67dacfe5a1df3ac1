// Bytes of uploaded files that only the server has, as the filesystem sees them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/error.h"
#include "base/ids.h"

namespace tusfs {

/// No call waits for the network: one that has to fails with EAGAIN, and is to be made again when
/// whoever implements this says so. Thread-safe.
class RemoteBytes {
 public:
  virtual ~RemoteBytes() = default;

  /// Reads of a file whose bytes are not here (Inode::version is 0) from byte `offset` on; fewer
  /// only at its end. Errors: EAGAIN; EIO with a sentence.
  [[nodiscard]] virtual Result<std::size_t> Read(InodeId inode, std::uint64_t offset,
                                                 std::span<std::byte> out) = 0;

  /// Brings all bytes of such a file back into the spool; it has a version when that succeeds.
  /// Errors: EAGAIN; EIO with a sentence; ENOSPC.
  [[nodiscard]] virtual Result<void> Restore(InodeId inode) = 0;

  /// Nobody reads the file any more.
  virtual void Close(InodeId inode) = 0;
};

}  // namespace tusfs
