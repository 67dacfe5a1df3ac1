// Which bytes of a version were written, and who wants to hear of it.
//
// Kept as ranges, of which the smaller are forgotten where there are too many: what is not known
// here counts as not written, and waits until the file is finished. Belongs to a Version and is
// guarded by its lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "base/byte_ranges.h"

namespace tusfs {

class WrittenBytes {
 public:
  /// What the disk says of the first `size` bytes of a file, of which the first `trimmed` are not
  /// there any more: they were written once. Disks tell by blocks, so that what lies beside a hole
  /// counts only behind byte 0, and a gap that is smaller than a block is not seen.
  [[nodiscard]] static ByteRanges OnDisk(int fd, std::uint64_t trimmed, std::uint64_t size);

  /// Its first mark is that of NotifyAt(mark); what is there already passes it with the next write.
  WrittenBytes(ByteRanges ranges, std::uint64_t mark)
      : ranges_(std::move(ranges)), prefix_mark_(mark) {}

  /// The disk has been asked again.
  void Assign(ByteRanges ranges) { ranges_ = std::move(ranges); }

  /// Returns whether a mark was passed.
  [[nodiscard]] bool Wrote(ByteRange const& range);
  /// They are zeros now, or not there at all.
  void Forget(ByteRange const& range) { ranges_.Subtract(range); }

  [[nodiscard]] bool Covers(ByteRange const& range) const { return ranges_.Covers(range); }
  /// Bytes from 0 on without a gap.
  [[nodiscard]] std::uint64_t prefix() const { return ranges_.FirstMissing(0); }

  [[nodiscard]] std::vector<ByteRange> const& ranges() const { return ranges_.ranges(); }
  [[nodiscard]] std::size_t marks() const { return marks_.size(); }

  /// One mark, in the place of the one before: passed when the prefix is at least `prefix` bytes.
  /// Returns whether it is already.
  bool NotifyAt(std::uint64_t prefix);
  /// One mark more: passed when all of `range` is written. Returns whether it is already. Of more
  /// than kMostMarks the oldest is forgotten.
  bool NotifyWhen(ByteRange const& range);

  static constexpr std::size_t kMostRanges = 4096;
  static constexpr std::size_t kMostMarks = 256;
  /// So many bytes beside a hole are not believed to be written: more than a block of any disk.
  static constexpr std::uint64_t kEdge = std::uint64_t{64} << 10;

 private:
  ByteRanges ranges_;
  std::optional<std::uint64_t> prefix_mark_;
  std::vector<ByteRange> marks_;
};

}  // namespace tusfs
