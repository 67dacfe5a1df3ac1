// LinkUsage: what a link has carried, by the day and by the month, over restarts.
#include "catalog/link_usage.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <time.h>

#include "catalog/store_harness.h"

namespace tusfs {
namespace {

LinkUsage const kSome{
    .day = 20261130, .today = 5, .month = 70, .total = 900, .others = {{20261102, 65}}};

LinkUsage After(std::int32_t day) {
  auto usage = kSome;
  usage.TurnTo(day);
  return usage;
}

TEST(LinkUsageTest, TheNextDayBeginsWithNothing) {
  EXPECT_EQ(After(20261130), kSome);
  auto usage = kSome;
  usage.day = 20261129;
  usage.TurnTo(20261130);
  EXPECT_EQ(usage.today, 0U);
  EXPECT_EQ(usage.month, 70U);
  EXPECT_EQ(usage.total, 900U);
}

TEST(LinkUsageTest, TheNextMonthBeginsWithNothingAndTheTotalStays) {
  EXPECT_EQ(After(20261201).today, 0U);
  EXPECT_EQ(After(20261201).month, 0U);
  EXPECT_EQ(After(20261201).total, 900U);
  EXPECT_EQ(After(20271130).month, 0U) << "the same month of another year";
}

TEST(LinkUsageTest, AClockThatIsNotSetYetForgetsNothing) { EXPECT_EQ(After(19700101), kSome); }

TEST(LinkUsageTest, AClockThatWasAheadIsNotWaitedFor) {
  LinkUsage usage{.day = 20360101, .today = 5, .month = 5, .total = 5};
  usage.TurnTo(20261130);
  EXPECT_EQ(usage.today, 0U);
  EXPECT_EQ(usage.month, 0U);
  EXPECT_EQ(usage.total, 5U);
}

TEST(LinkUsageTest, AClockThatGoesBackAndForthFindsWhatWasCounted) {
  auto usage = After(20250101);  // as a machine wakes up that has no clock
  usage.today = 7;
  usage.TurnTo(20261130);
  EXPECT_EQ(usage.today, 5U);
  EXPECT_EQ(usage.month, 70U);
  usage.TurnTo(20250101);
  EXPECT_EQ(usage.today, 7U);
}

TEST(LinkUsageTest, DaysThatAreFarAwayAreForgotten) {
  LinkUsage usage;
  for (int year = 2021; year < 2221; ++year) {
    usage.TurnTo(year * 10000 + 101);
    usage.today = 1;
  }
  EXPECT_EQ(usage.others.size(), 100U);
  EXPECT_FALSE(usage.others.contains(20210101));
}

TEST(LinkUsageTest, ADayIsOfLocalTime) {
  constexpr FileTime kEvening = 1'700'000'000'000'000'000;  // 22:13:20 in UTC
  auto const day_in = [](char const* zone) {
    ::setenv("TZ", zone, 1);
    ::tzset();
    return LocalDay(kEvening);
  };
  EXPECT_EQ(day_in("EET-2"), 20231115);
  EXPECT_EQ(day_in("UTC"), 20231114);
}

TEST(LinkUsageTest, ItIsThereAfterARestart) {
  tusfs_testing::TempDir const dir;
  auto const put = [&](Store& store) {
    return store.Update([](Transaction& transaction) -> Result<void> {
      PutLinkUsage(transaction, "lte", kSome);
      return {};
    });
  };
  ASSERT_TRUE(Ok(put(*OpenStore(dir / "catalog"))));
  auto const store = OpenStore(dir / "catalog");
  auto const get = [&](std::string const& link) {
    return store->Read([&](View const& view) { return GetLinkUsage(view, link); }).value();
  };
  EXPECT_EQ(get("lte"), kSome);
  EXPECT_EQ(get("wifi"), LinkUsage());
}

}  // namespace
}  // namespace tusfs
