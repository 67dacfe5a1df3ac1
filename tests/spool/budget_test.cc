// Budget: how far it is spent, and who is told.
#include "spool/budget.h"

#include <gtest/gtest.h>

#include <thread>

namespace tusfs {
namespace {

constexpr std::int64_t kUnit = 1 << 20;
constexpr auto kLimit = static_cast<std::uint64_t>(16 * kUnit);

class BudgetTest : public testing::Test {
 protected:
  std::uint64_t free_ = kLimit * 100;
  Budget budget_{{.size = kLimit, .reserve = kLimit}, [this](std::uint64_t) { return free_; }};
};

TEST_F(BudgetTest, IsSpentStepByStep) {
  budget_.Charge(11 * kUnit);
  EXPECT_EQ(budget_.room(), Room::kPlenty);
  EXPECT_EQ(budget_.excess(), 0U);
  budget_.Charge(1);
  EXPECT_EQ(budget_.room(), Room::kScarce);
  EXPECT_EQ(budget_.excess(), static_cast<std::uint64_t>(kUnit + 1));
  budget_.Charge(kUnit);
  EXPECT_EQ(budget_.room(), Room::kLow);
  budget_.Charge(4 * kUnit - 1);
  EXPECT_EQ(budget_.room(), Room::kNone);
  budget_.Charge(-16 * kUnit);
  EXPECT_EQ(budget_.room(), Room::kPlenty);
  EXPECT_EQ(budget_.used(), 0U);
}

TEST_F(BudgetTest, LeavesTheDiskItsReserve) {
  budget_.Charge(2 * kUnit);
  free_ = kLimit + 2 * kUnit;
  EXPECT_EQ(budget_.limit(), static_cast<std::uint64_t>(4 * kUnit));
  free_ = kLimit - 1;
  EXPECT_EQ(budget_.limit(), budget_.used());
  EXPECT_EQ(budget_.room(), Room::kNone);
}

TEST_F(BudgetTest, WithoutASizeTakesWhatTheDiskHas) {
  Budget budget({.size = 0, .reserve = 100}, [](std::uint64_t) { return 1100; });
  EXPECT_EQ(budget.limit(), 1000U);
}

TEST_F(BudgetTest, TellsOfRoomThatWasGained) {
  budget_.Charge(kUnit);
  auto const seen = budget_.changes();
  std::thread gains([&] { budget_.Charge(-1); });
  auto const deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  EXPECT_NE(budget_.WaitForChange(seen, deadline), seen);
  gains.join();
}

TEST_F(BudgetTest, TellsWhenItGetsScarceAndNotOfEachByte) {
  auto const seen = budget_.changes();
  budget_.Charge(kUnit);
  budget_.Charge(kUnit);
  EXPECT_EQ(budget_.changes(), seen);
  budget_.Charge(10 * kUnit);
  EXPECT_NE(budget_.changes(), seen);
}

TEST_F(BudgetTest, WaitsNoLongerThanItsDeadline) {
  auto const seen = budget_.changes();
  EXPECT_EQ(budget_.WaitForChange(seen, std::chrono::steady_clock::now()), seen);
}

}  // namespace
}  // namespace tusfs
