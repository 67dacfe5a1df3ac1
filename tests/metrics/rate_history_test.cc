// RateHistory: what was sent in each minute of the last hour.
#include "metrics/rate_history.h"

#include <gmock/gmock.h>

#include <numeric>

namespace tusfs {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

class RateHistoryTest : public testing::Test {
 protected:
  static std::uint64_t Sum(std::vector<std::uint64_t> const& bytes) {
    return std::accumulate(bytes.begin(), bytes.end(), std::uint64_t{0});
  }
  SteadyTime const start_{minutes(1000)};
  RateHistory history_{500};
};

TEST_F(RateHistoryTest, WhatWasSentBeforeItBeganIsNotCounted) {
  EXPECT_EQ(Sum(history_.Minutes(start_)), 0U);
  history_.Note(600, start_);
  EXPECT_EQ(history_.Minutes(start_).back(), 100U);
}

TEST_F(RateHistoryTest, EachMinuteHasItsOwn) {
  history_.Note(510, start_);
  history_.Note(530, start_ + seconds(59));
  history_.Note(600, start_ + minutes(2));
  auto const bytes = history_.Minutes(start_ + minutes(2));
  ASSERT_EQ(bytes.size(), 60U);
  EXPECT_EQ(bytes[57], 30U);
  EXPECT_EQ(bytes[58], 0U);
  EXPECT_EQ(bytes[59], 70U);
}

TEST_F(RateHistoryTest, AfterAnHourItIsForgotten) {
  history_.Note(510, start_);
  EXPECT_EQ(history_.Minutes(start_ + minutes(59)).front(), 10U);
  EXPECT_EQ(Sum(history_.Minutes(start_ + minutes(60))), 0U);
  history_.Note(511, start_ + minutes(60));
  EXPECT_EQ(Sum(history_.Minutes(start_ + minutes(60))), 1U) << "its place is another minute's";
}

TEST_F(RateHistoryTest, ACounterThatWentBackCountsNothing) {
  history_.Note(100, start_);
  EXPECT_EQ(Sum(history_.Minutes(start_)), 0U);
  history_.Note(110, start_);
  EXPECT_EQ(Sum(history_.Minutes(start_)), 10U);
}

}  // namespace
}  // namespace tusfs
