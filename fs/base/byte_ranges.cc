#include "base/byte_ranges.h"

#include <algorithm>
#include <functional>

namespace tusfs {
namespace {

// The first range that ends at or behind `offset`.
template <typename Ranges>
auto FirstReaching(Ranges& ranges, std::uint64_t offset) {
  return std::ranges::lower_bound(ranges, offset, std::less{}, &ByteRange::end);
}

// The first range that ends behind `offset`.
template <typename Ranges>
auto FirstBehind(Ranges& ranges, std::uint64_t offset) {
  return std::ranges::upper_bound(ranges, offset, std::less{}, &ByteRange::end);
}

}  // namespace

void ByteRanges::Add(ByteRange const& range) {
  if (range.begin >= range.end) return;
  if (ranges_.empty() || ranges_.back().end < range.begin) {
    ranges_.push_back(range);
    return;
  }
  if (ranges_.back().begin <= range.begin) {
    ranges_.back().end = std::max(ranges_.back().end, range.end);
    return;
  }
  auto const first = FirstReaching(ranges_, range.begin);
  if (first->begin > range.end) {
    ranges_.insert(first, range);
    return;
  }
  // What it touches becomes one with it.
  auto const behind = std::upper_bound(
      first, ranges_.end(), range.end,
      [](std::uint64_t offset, ByteRange const& other) { return offset < other.begin; });
  first->begin = std::min(first->begin, range.begin);
  first->end = std::max(range.end, std::prev(behind)->end);
  ranges_.erase(std::next(first), behind);
}

void ByteRanges::Subtract(ByteRange const& range) {
  if (range.begin >= range.end) return;
  auto first = FirstBehind(ranges_, range.begin);
  if (first == ranges_.end() || first->begin >= range.end) return;
  if (first->begin < range.begin) {
    ByteRange const left{first->begin, range.begin};
    if (first->end > range.end) {
      first->begin = range.end;
      ranges_.insert(first, left);
      return;
    }
    *first++ = left;
  }
  auto const last = FirstBehind(ranges_, range.end);
  if (last != ranges_.end()) last->begin = std::max(last->begin, range.end);
  ranges_.erase(first, last);
}

void ByteRanges::KeepLargest(std::size_t most) {
  if (ranges_.size() <= std::max<std::size_t>(most, 1)) return;
  auto const others = std::next(ranges_.begin());
  auto const kept =
      std::next(ranges_.begin(), static_cast<std::ptrdiff_t>(std::max<std::size_t>(most, 1)));
  std::nth_element(others, kept, ranges_.end(), [](ByteRange const& a, ByteRange const& b) {
    return a.end - a.begin > b.end - b.begin;
  });
  ranges_.erase(kept, ranges_.end());
  std::ranges::sort(ranges_, std::less{}, &ByteRange::begin);
}

bool ByteRanges::Overlaps(ByteRange const& range) const {
  auto const first = FirstBehind(ranges_, range.begin);
  return first != ranges_.end() && first->Overlaps(range);
}

bool ByteRanges::Covers(ByteRange const& range) const {
  return range.begin >= range.end || FirstMissing(range.begin) >= range.end;
}

std::uint64_t ByteRanges::FirstMissing(std::uint64_t begin) const {
  auto const first = FirstBehind(ranges_, begin);
  return first != ranges_.end() && first->begin <= begin ? first->end : begin;
}

}  // namespace tusfs
