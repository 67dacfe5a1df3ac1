// The catalog's tables by number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tusfs {

/// On disk (journal): never renumbered. Each is an LMDB database of its own.
enum class Table : std::uint8_t {
  kMeta = 1,
  kInodes = 2,
  kNames = 3,
  kEntries = 4,
  kLinks = 5,
  kHandles = 6,
  kUploads = 7,
  kWork = 8,
  kReplies = 9,
  kXattrs = 10,
  kDigests = 11,
  kTargets = 12,
  kKept = 13,
  kOwnerless = 14,
  kProofs = 15,
  kParts = 16,
};
constexpr std::size_t kTableCount = 17;  // one more than the highest number

/// Whether LMDB can have a row of that key.
[[nodiscard]] constexpr bool IsKey(std::string_view key) {
  return !key.empty() && key.size() <= 511;
}

}  // namespace tusfs
