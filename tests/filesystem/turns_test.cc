// Turns: whose writes go on when the spool is nearly full.
#include "filesystem/turns.h"

#include <gtest/gtest.h>

#include "base/fakes.h"

namespace tusfs {
namespace {

constexpr std::int64_t kUnit = 1 << 20;
constexpr std::int64_t kPlentyUsed = 11 * kUnit;
constexpr std::int64_t kLowUsed = 13 * kUnit;
constexpr std::int64_t kAllUsed = 16 * kUnit;
constexpr std::chrono::seconds kTimeout{60};

class TurnsTest : public testing::Test {
 protected:
  void Use(std::int64_t bytes) {
    budget_.Charge(bytes - static_cast<std::int64_t>(budget_.used()));
  }
  Turn Ask(VersionId file, std::uint64_t taken = kUnit) { return turns_.Ask(file, taken); }

  FakeClock clock_;
  Budget budget_{{.size = static_cast<std::uint64_t>(16 * kUnit)},
                 [] { return std::uint64_t{1} << 40; }};
  Turns turns_{budget_, clock_, {.full_timeout = kTimeout}};
};

TEST_F(TurnsTest, EverybodyGoesOnWhileThereIsRoom) {
  Use(kPlentyUsed);
  for (VersionId const file : {1, 2, 3}) EXPECT_EQ(Ask(file), Turn::kGo);
  EXPECT_EQ(budget_.waiting(), 0U);
}

TEST_F(TurnsTest, WhatIsLeftBelongsToOneFileUntilItsWriterIsDone) {
  Use(kLowUsed);
  EXPECT_EQ(Ask(2), Turn::kGo);
  EXPECT_EQ(Ask(1), Turn::kWait);
  EXPECT_EQ(Ask(3), Turn::kWait);
  EXPECT_EQ(Ask(2), Turn::kGo);
  EXPECT_EQ(budget_.waiting(), 2U);
  turns_.Leave(2);
  EXPECT_EQ(Ask(3), Turn::kWait) << "an older one waits";
  EXPECT_EQ(Ask(1), Turn::kGo);
}

TEST_F(TurnsTest, ItsWriterWaitsTooWhenNothingIsLeft) {
  Use(kLowUsed);
  EXPECT_EQ(Ask(1), Turn::kGo);
  Use(kAllUsed);
  EXPECT_EQ(Ask(1), Turn::kWait);
  Use(kLowUsed);
  EXPECT_EQ(Ask(1), Turn::kGo);
}

TEST_F(TurnsTest, AWriterWhoDoesNotWriteLosesHisTurn) {
  Use(kLowUsed);
  EXPECT_EQ(Ask(1), Turn::kGo);
  EXPECT_EQ(Ask(2), Turn::kWait);
  clock_.Advance(std::chrono::seconds(11));
  EXPECT_EQ(Ask(2), Turn::kGo);
  EXPECT_EQ(Ask(1), Turn::kWait);
}

TEST_F(TurnsTest, EverybodyGoesOnWhenThereIsRoomAgain) {
  Use(kAllUsed);
  EXPECT_EQ(Ask(1), Turn::kWait);
  EXPECT_EQ(Ask(2), Turn::kWait);
  Use(kPlentyUsed);
  EXPECT_EQ(Ask(2), Turn::kGo);
  EXPECT_EQ(Ask(1), Turn::kGo);
  EXPECT_EQ(budget_.waiting(), 0U);
}

TEST_F(TurnsTest, IsFullWhenNothingGoesOnForTooLong) {
  Use(kAllUsed);
  EXPECT_EQ(Ask(1), Turn::kWait);
  clock_.Advance(kTimeout - std::chrono::seconds(1));
  EXPECT_EQ(Ask(1), Turn::kWait);
  budget_.NoteProgress(clock_.Steady());
  clock_.Advance(kTimeout - std::chrono::seconds(1));
  EXPECT_EQ(Ask(1), Turn::kWait) << "something has gone on";
  clock_.Advance(std::chrono::seconds(1));
  EXPECT_EQ(Ask(1), Turn::kFull);
  EXPECT_EQ(budget_.waiting(), 0U);
}

TEST_F(TurnsTest, AFileThatCannotFitIsToldSoAtOnce) {
  Use(kAllUsed);
  EXPECT_EQ(Ask(1, static_cast<std::uint64_t>(kAllUsed)), Turn::kFull);
  Turns trimming(budget_, clock_, {.full_timeout = kTimeout, .trims = true});
  EXPECT_EQ(trimming.Ask(1, static_cast<std::uint64_t>(kAllUsed)), Turn::kWait);
}

TEST_F(TurnsTest, ARefusedFileIsFullUntilNobodyWritesToIt) {
  Use(kAllUsed);
  EXPECT_EQ(Ask(1), Turn::kWait);
  auto const seen = budget_.changes();
  turns_.Refuse(1);
  EXPECT_NE(budget_.changes(), seen) << "whoever waits is woken";
  EXPECT_EQ(Ask(1), Turn::kFull);
  turns_.Leave(1);
  EXPECT_EQ(Ask(1), Turn::kWait);
}

}  // namespace
}  // namespace tusfs
