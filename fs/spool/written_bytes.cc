#include "spool/written_bytes.h"

#include <unistd.h>

#include <algorithm>

namespace tusfs {
namespace {

// Where the first hole at or behind `begin` begins; `size` where there is none before it, 0 where
// the disk does not say.
std::uint64_t FirstHole(int fd, std::uint64_t begin, std::uint64_t size) {
  if (size <= begin) return size;
  off_t const hole = ::lseek(fd, static_cast<off_t>(begin), SEEK_HOLE);
  return hole < 0 ? 0 : std::min(size, static_cast<std::uint64_t>(hole));
}

// Where the first data at or behind `begin` begins; `size` where there are none.
std::uint64_t FirstData(int fd, std::uint64_t begin, std::uint64_t size) {
  off_t const data = ::lseek(fd, static_cast<off_t>(begin), SEEK_DATA);
  return data < 0 ? size : std::min(size, static_cast<std::uint64_t>(data));
}

}  // namespace

ByteRanges WrittenBytes::OnDisk(int fd, std::uint64_t trimmed, std::uint64_t size) {
  auto end = FirstHole(fd, trimmed, size);
  ByteRanges ranges({0, end});
  for (std::size_t seen = 1; end > 0 && end < size && seen < kMostRanges; ++seen) {
    auto const begin = FirstData(fd, end, size);
    end = FirstHole(fd, begin, size);
    if (end > begin) ranges.Add({begin + kEdge, end == size ? size : end - std::min(end, kEdge)});
  }
  return ranges;
}

bool WrittenBytes::Wrote(ByteRange const& range) {
  ranges_.Add(range);
  // By half: whoever writes every second byte pays for it every so many writes.
  if (ranges_.ranges().size() > kMostRanges) ranges_.KeepLargest(kMostRanges / 2);
  bool const prefix_passed = prefix_mark_ && prefix() >= *prefix_mark_;
  if (prefix_passed) prefix_mark_.reset();
  auto const passed = std::erase_if(
      marks_, [&](ByteRange const& mark) { return mark.Overlaps(range) && ranges_.Covers(mark); });
  return prefix_passed || passed > 0;
}

bool WrittenBytes::NotifyAt(std::uint64_t prefix) {
  if (this->prefix() >= prefix) return true;
  prefix_mark_ = prefix;
  return false;
}

bool WrittenBytes::NotifyWhen(ByteRange const& range) {
  if (ranges_.Covers(range)) return true;
  if (std::ranges::find(marks_, range) != marks_.end()) return false;
  if (marks_.size() == kMostMarks) marks_.erase(marks_.begin());
  marks_.push_back(range);
  return false;
}

}  // namespace tusfs
