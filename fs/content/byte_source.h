// The bytes of one file, wherever they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/error.h"

namespace tusfs {

class ByteSource {
 public:
  virtual ~ByteSource() = default;

  /// In bytes; stays the same.
  [[nodiscard]] virtual std::uint64_t size() const = 0;

  /// Reads up to `out.size()` bytes at byte `offset`; fewer only at the end. Errors: of reading.
  [[nodiscard]] virtual Result<std::size_t> ReadAt(std::uint64_t offset,
                                                   std::span<std::byte> out) const = 0;
};

}  // namespace tusfs
