// BandwidthLimit by itself, with a time of the test's own.
#include "tusclient/bandwidth.h"

#include <gtest/gtest.h>

#include <atomic>
#include <limits>
#include <numeric>
#include <thread>
#include <vector>

namespace tus {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kPlenty = std::size_t{1} << 30;

class Bandwidth : public testing::Test {
 protected:
  BandwidthLimit limit_{1000};
  BandwidthLimit::Time start_{std::chrono::hours(1)};
  BandwidthLimit::Time again_{};

  std::size_t TakeAt(milliseconds time, std::size_t wanted = kPlenty) {
    return limit_.Take(wanted, start_ + time, again_);
  }

  /// What somebody gets who always wants more, and waits as he is told.
  std::size_t Drain(BandwidthLimit::Time::duration time, int* waits = nullptr) {
    std::size_t sum = 0;
    for (auto now = start_; now < start_ + time;) {
      if (auto const got = limit_.Take(kPlenty, now, again_); got > 0) {
        sum += got;
        continue;
      }
      EXPECT_GT(again_, now);
      if (waits != nullptr) ++*waits;
      now = again_;
    }
    return sum;
  }
};

TEST_F(Bandwidth, OfZeroIsNoLimit) {
  limit_.Set(0);
  EXPECT_EQ(TakeAt(milliseconds(0)), kPlenty);
  EXPECT_EQ(TakeAt(milliseconds(0)), kPlenty);
}

TEST_F(Bandwidth, BeginsWithAnEighthOfASecond) {
  EXPECT_EQ(TakeAt(milliseconds(0)), 125U);
  EXPECT_EQ(TakeAt(milliseconds(0)), 0U);
  EXPECT_GT(again_, start_);
}

TEST_F(Bandwidth, GathersNoMoreThanAnEighthOfASecond) {
  EXPECT_EQ(TakeAt(milliseconds(0)), 125U);
  EXPECT_EQ(TakeAt(seconds(100)), 125U);
}

TEST_F(Bandwidth, GrantsNoMoreThanIsWantedAndKeepsTheRest) {
  EXPECT_EQ(TakeAt(milliseconds(0), 10), 10U);
  EXPECT_EQ(TakeAt(milliseconds(0)), 115U);
}

TEST_F(Bandwidth, HasSomethingForWhomeverWaitedAsTold) {
  for (std::uint64_t const rate : {1U, 3U, 7U, 1000U, 999'999'937U}) {
    limit_.Set(rate);
    for (auto now = start_; now < start_ + seconds(5); now = again_) {
      while (limit_.Take(kPlenty, now, again_) > 0) {
      }
      ASSERT_GT(limit_.Take(kPlenty, again_, again_), 0U) << rate;
    }
  }
}

TEST_F(Bandwidth, HoldsOverTimeWithFewWaits) {
  for (std::uint64_t const rate : {1UL, 10UL, 1000UL, 1'000'000UL, 10'000'000'000UL}) {
    limit_.Set(rate);
    start_ += seconds(100);
    int waits = 0;
    auto const sum = static_cast<double>(Drain(seconds(10), &waits));
    EXPECT_GE(sum, 10.0 * static_cast<double>(rate) * 0.98) << rate;
    EXPECT_LE(sum, 10.125 * static_cast<double>(rate) + 1) << rate;
    EXPECT_LE(waits, 680) << rate;
  }
}

TEST_F(Bandwidth, WaitsForNoMoreThanIsWanted) {
  EXPECT_EQ(TakeAt(milliseconds(0)), 125U);
  EXPECT_EQ(TakeAt(milliseconds(0), 2), 0U);
  EXPECT_LE(again_, start_ + milliseconds(3));
  EXPECT_EQ(TakeAt(milliseconds(3), 2), 2U);
}

TEST_F(Bandwidth, CanBeChangedWhileOneWaits) {
  limit_.Set(1);
  EXPECT_EQ(TakeAt(milliseconds(0)), 1U);
  EXPECT_EQ(TakeAt(milliseconds(0)), 0U);
  limit_.Set(1'000'000);
  EXPECT_EQ(limit_.Get(), 1'000'000U);
  EXPECT_GE(TakeAt(milliseconds(100)), 90'000U);
  limit_.Set(0);
  EXPECT_EQ(TakeAt(milliseconds(100)), kPlenty);
}

TEST_F(Bandwidth, NeverMakesAnyoneWaitMuchLongerThanASecond) {
  limit_.Set(1);
  EXPECT_EQ(TakeAt(milliseconds(0)), 1U);
  EXPECT_EQ(TakeAt(milliseconds(0)), 0U);
  EXPECT_LE(again_, start_ + milliseconds(1001));
}

TEST_F(Bandwidth, TakesBackWhatWasNotSent) {
  EXPECT_EQ(TakeAt(milliseconds(0)), 125U);
  limit_.GiveBack(100);
  EXPECT_EQ(TakeAt(milliseconds(0)), 100U);
  limit_.GiveBack(100'000);
  EXPECT_EQ(TakeAt(milliseconds(0)), 125U);
}

TEST_F(Bandwidth, DoesNotMindAClockThatIsALittleBehind) {
  EXPECT_EQ(TakeAt(milliseconds(100)), 125U);
  EXPECT_EQ(TakeAt(milliseconds(0)), 0U);
  EXPECT_GT(again_, start_ + milliseconds(100));
}

TEST_F(Bandwidth, TakesTheHighestNumberForWhatItIs) {
  limit_.Set(std::numeric_limits<std::uint64_t>::max());
  EXPECT_EQ(TakeAt(milliseconds(0)), kPlenty);
}

TEST_F(Bandwidth, IsKeptWithinAnother) {
  limit_.Set(1000);
  BandwidthLimit part(100'000, &limit_);
  auto const take = [&](milliseconds time) { return part.Take(kPlenty, start_ + time, again_); };
  EXPECT_EQ(take(milliseconds(0)), 125U) << "what the whole grants";
  EXPECT_EQ(take(milliseconds(0)), 0U);
  EXPECT_GT(again_, start_ + milliseconds(10)) << "when the whole has some again";
  part.Set(1000);
  limit_.Set(0);
  EXPECT_EQ(take(milliseconds(1000)), 125U) << "what the part grants";
  EXPECT_EQ(take(milliseconds(1000)), 0U);
  part.GiveBack(25);
  EXPECT_EQ(take(milliseconds(1000)), 25U);
}

TEST_F(Bandwidth, IsSharedByThreads) {
  constexpr int kThreads = 4;
  limit_.Set(1'000'000);
  std::vector<std::size_t> sums(kThreads);
  {
    std::vector<std::jthread> threads;
    for (auto& sum : sums) {
      threads.emplace_back([this, &sum] {
        for (int time = 0; time <= 10'000; ++time) {
          BandwidthLimit::Time again{};
          sum += limit_.Take(100, start_ + milliseconds(time), again);
          if (time % 100 == 0) limit_.Set(limit_.Get());
        }
      });
    }
  }
  EXPECT_LE(std::accumulate(sums.begin(), sums.end(), std::size_t{0}), 10'125'000U);
}

}  // namespace
}  // namespace tus
