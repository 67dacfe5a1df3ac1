// Where the bytes of an upload come from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "tusclient/error.h"

namespace tus {

/// Bytes that can be read at any position, as often as a retry needs them. Implementations are
/// called by one thread per request; several requests may read one source at the same time.
class DataSource {
 public:
  virtual ~DataSource() = default;

  /// Reads up to `out.size()` bytes at byte `offset` into `out` and returns how many were read.
  /// Fewer than asked is allowed, 0 means that the source ends before `offset`. Errors: kSource.
  [[nodiscard]] virtual Result<std::size_t> ReadAt(std::uint64_t offset,
                                                   std::span<std::byte> out) = 0;
};

/// A source over memory that the caller owns and keeps alive.
class MemorySource : public DataSource {
 public:
  explicit MemorySource(std::span<std::byte const> bytes) : bytes_(bytes) {}
  [[nodiscard]] Result<std::size_t> ReadAt(std::uint64_t offset, std::span<std::byte> out) override;

 private:
  std::span<std::byte const> bytes_;
};

}  // namespace tus
