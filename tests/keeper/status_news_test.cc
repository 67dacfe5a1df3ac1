// What the service manager is told of, and how often.
#include "keeper/status_news.h"

#include <gtest/gtest.h>

#include <mutex>
#include <thread>
#include <vector>

#include "testing/wait_for.h"

namespace tusfs {
namespace {

using std::chrono::milliseconds;
using tusfs_testing::WaitFor;
using Clock = std::chrono::steady_clock;

class StatusNewsTest : public testing::Test {
 protected:
  void Start() {
    thread_ = std::jthread([this](std::stop_token const& stop) {
      news_.Run(stop, {.line = [this] { return Line(); },
                       .tell = [this](std::string const& line) { return Tell(line); }});
    });
  }

  void Change(std::string line) {
    {
      std::lock_guard const lock(mutex_);
      line_ = std::move(line);
    }
    news_.Note();
  }

  std::string Line() {
    std::lock_guard const lock(mutex_);
    ++looks_;
    return line_;
  }
  bool Tell(std::string const& line) {
    std::lock_guard const lock(mutex_);
    if (deaf_) {
      deaf_ = false;
      return false;
    }
    told_.push_back(line);
    at_.push_back(Clock::now());
    return true;
  }
  std::vector<std::string> Told() {
    std::lock_guard const lock(mutex_);
    return told_;
  }
  int Looks() {
    std::lock_guard const lock(mutex_);
    return looks_;
  }

  std::mutex mutex_;
  std::string line_ = "first";
  bool deaf_ = false;
  int looks_ = 0;
  std::vector<std::string> told_;
  std::vector<Clock::time_point> at_;
  StatusNews news_;
  std::jthread thread_;
};

TEST_F(StatusNewsTest, WhatThereIsAtTheBeginningIsToldAtOnce) {
  Start();
  EXPECT_TRUE(WaitFor([&] { return Told() == std::vector<std::string>{"first"}; }));
}

TEST_F(StatusNewsTest, TheLastOfManyChangesIsToldAndNoneSoonerThanASecondBehindTheOneBefore) {
  Start();
  ASSERT_TRUE(WaitFor([&] { return Told().size() == 1; }));
  for (int i = 0; i <= 1000; ++i) Change("change " + std::to_string(i));
  ASSERT_TRUE(WaitFor([&] { return Told().back() == "change 1000"; }));
  EXPECT_LE(Told().size(), 3U);
  for (std::size_t i = 1; i < at_.size(); ++i) EXPECT_GE(at_[i] - at_[i - 1], milliseconds(990));
}

TEST_F(StatusNewsTest, NobodyLooksWhileNothingIsNotedAndTheSameLineIsNotToldAgain) {
  Start();
  ASSERT_TRUE(WaitFor([&] { return Told().size() == 1; }));
  news_.Note();
  ASSERT_TRUE(WaitFor([&] { return Looks() == 2; }));
  EXPECT_EQ(Told().size(), 1U);
  Change("another");
  ASSERT_TRUE(WaitFor([&] { return Told().size() == 2; }));
  EXPECT_EQ(Looks(), 3) << "once for each time that something was noted";
}

TEST_F(StatusNewsTest, WhatNobodyTookIsToldAgain) {
  deaf_ = true;
  Start();
  EXPECT_TRUE(WaitFor([&] { return Told() == std::vector<std::string>{"first"}; }));
  EXPECT_EQ(Looks(), 2);
}

TEST_F(StatusNewsTest, ItEndsAtOnceHoweverLongThePauseIs) {
  Start();
  ASSERT_TRUE(WaitFor([&] { return Told().size() == 1; }));
  auto const begin = Clock::now();
  thread_ = {};
  EXPECT_LT(Clock::now() - begin, milliseconds(500));
}

TEST(PauseBehind, ALineThatTakesLongIsAskedForLessOften) {
  EXPECT_EQ(PauseBehind(milliseconds(0)), milliseconds(1000));
  EXPECT_EQ(PauseBehind(milliseconds(50)), milliseconds(1000));
  EXPECT_EQ(PauseBehind(milliseconds(2000)), milliseconds(38'000));
}

}  // namespace
}  // namespace tusfs
