// A set of bytes by their offsets, kept as few ranges: disjoint, in order, none beside another.
//
// Made for writers that go on where they were: adding behind the last range looks at nothing else.
// Memory is 16 bytes for each range; whoever takes ranges from a stranger bounds them with
// KeepLargest. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace tusfs {

/// Bytes [begin, end); none where `end` is not behind `begin`.
struct ByteRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;

  bool operator==(ByteRange const&) const = default;
  [[nodiscard]] bool Overlaps(ByteRange const& other) const {
    return begin < end && other.begin < other.end && begin < other.end && other.begin < end;
  }
};

/// As an end: all there is from a byte on.
constexpr std::uint64_t kNoEnd = std::numeric_limits<std::uint64_t>::max();

class ByteRanges {
 public:
  ByteRanges() = default;
  explicit ByteRanges(ByteRange const& range) { Add(range); }

  void Add(ByteRange const& range);
  void Subtract(ByteRange const& range);

  /// Keeps `most` ranges (at least 1): the one that begins first, and the largest of the others.
  void KeepLargest(std::size_t most);

  /// Whether a byte of `range` is in it.
  [[nodiscard]] bool Overlaps(ByteRange const& range) const;
  /// Whether all bytes of `range` are in it.
  [[nodiscard]] bool Covers(ByteRange const& range) const;
  /// The first byte at or behind `begin` that is not in it.
  [[nodiscard]] std::uint64_t FirstMissing(std::uint64_t begin) const;

  [[nodiscard]] std::vector<ByteRange> const& ranges() const { return ranges_; }

 private:
  std::vector<ByteRange> ranges_;
};

}  // namespace tusfs
