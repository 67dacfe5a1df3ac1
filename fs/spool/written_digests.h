// The digests of blocks that were written from their first byte to their last, in order: taken as
// the bytes come by, while they are in the processor's cache. What was written otherwise is not
// known here, and has to be read.
//
// Belongs to a Version and is guarded by its lock.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>

#include "base/block_digest.h"

namespace tusfs {

class WrittenDigests {
 public:
  /// `bytes` were written at byte `offset`.
  void Wrote(std::uint64_t offset, std::span<std::byte const> bytes);

  /// Bytes from `begin` on, up to `end`, changed in a way that was not seen.
  void Changed(std::uint64_t begin, std::uint64_t end);

  /// Of a whole block, where it is known.
  [[nodiscard]] std::optional<BlockDigest> Find(std::uint64_t block) const;

 private:
  std::unordered_map<std::uint64_t, BlockDigest> whole_;
  std::optional<BlockHasher> hasher_;  ///< made when it is needed: most files are small
  std::uint64_t hashed_to_ = 0;        ///< the hasher has the bytes of its block up to here
};

}  // namespace tusfs
