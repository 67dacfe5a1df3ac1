// ByteRanges against a bitmap, and what it promises beyond one.
#include "base/byte_ranges.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <bitset>
#include <random>

namespace tusfs {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::size_t kBytes = 64;

// One bit for each byte.
class Bitmap {
 public:
  void Set(ByteRange const& range, bool value) {
    for (auto i = range.begin; i < range.end; ++i) bits_[i] = value;
  }
  [[nodiscard]] bool Any(ByteRange const& range) const {
    for (auto i = range.begin; i < range.end; ++i) {
      if (bits_[i]) return true;
    }
    return false;
  }
  [[nodiscard]] bool All(ByteRange const& range) const {
    for (auto i = range.begin; i < range.end; ++i) {
      if (!bits_[i]) return false;
    }
    return true;
  }
  [[nodiscard]] std::uint64_t FirstMissing(std::uint64_t begin) const {
    while (begin < kBytes && bits_[begin]) ++begin;
    return begin;
  }
  [[nodiscard]] std::vector<ByteRange> Ranges() const {
    std::vector<ByteRange> ranges;
    for (std::uint64_t i = 0; i < kBytes; ++i) {
      if (!bits_[i]) continue;
      if (ranges.empty() || ranges.back().end != i) ranges.push_back({i, i});
      ++ranges.back().end;
    }
    return ranges;
  }

 private:
  std::bitset<kBytes> bits_;
};

TEST(ByteRanges, AreWhatABitmapSays) {
  std::mt19937_64 random(22);
  for (int round = 0; round < 200; ++round) {
    ByteRanges ranges;
    Bitmap bitmap;
    for (int step = 0; step < 100; ++step) {
      auto const some = [&] {
        auto const begin = random() % kBytes;
        // Mostly short: long ones would leave nothing to cut.
        return ByteRange{begin, std::min<std::uint64_t>(kBytes, begin + random() % 9)};
      };
      auto const range = some();
      bool const adds = random() % 3 != 0;
      adds ? ranges.Add(range) : ranges.Subtract(range);
      bitmap.Set(range, adds);
      ASSERT_EQ(ranges.ranges(), bitmap.Ranges()) << "round " << round << " step " << step;
      auto const asked = some();
      ASSERT_EQ(ranges.Overlaps(asked), bitmap.Any(asked));
      ASSERT_EQ(ranges.Covers(asked), bitmap.All(asked));
      ASSERT_EQ(ranges.FirstMissing(asked.begin), bitmap.FirstMissing(asked.begin));
    }
  }
}

TEST(ByteRanges, AWriterInOrderIsOneRange) {
  ByteRanges ranges;
  for (std::uint64_t i = 0; i < 1000; ++i) ranges.Add({i * 4096, (i + 1) * 4096});
  EXPECT_THAT(ranges.ranges(), ElementsAre(ByteRange{0, 1000 * 4096}));
}

TEST(ByteRanges, NoBytesAreNothing) {
  ByteRanges ranges(ByteRange{5, 5});
  EXPECT_THAT(ranges.ranges(), IsEmpty());
  ranges.Add({0, 10});
  ranges.Subtract({5, 5});
  EXPECT_FALSE(ranges.Overlaps({5, 5}));
  EXPECT_TRUE(ranges.Covers({20, 20}));
  EXPECT_THAT(ranges.ranges(), ElementsAre(ByteRange{0, 10}));
}

TEST(ByteRanges, ReachToTheLastByteThatThereCanBe) {
  ByteRanges ranges(ByteRange{10, kNoEnd});
  EXPECT_TRUE(ranges.Overlaps({kNoEnd - 1, kNoEnd}));
  ranges.Subtract({20, kNoEnd});
  EXPECT_THAT(ranges.ranges(), ElementsAre(ByteRange{10, 20}));
}

TEST(ByteRanges, OfTooManyTheFirstAndTheLargestAreKept) {
  ByteRanges ranges;
  for (std::uint64_t i = 0; i < 10; ++i) ranges.Add({i * 100, i * 100 + 1 + i % 5});
  ranges.KeepLargest(3);
  EXPECT_THAT(ranges.ranges(),
              ElementsAre(ByteRange{0, 1}, ByteRange{400, 405}, ByteRange{900, 905}));
  ranges.KeepLargest(3);
  EXPECT_EQ(ranges.ranges().size(), 3U) << "few enough already";
}

}  // namespace
}  // namespace tusfs
