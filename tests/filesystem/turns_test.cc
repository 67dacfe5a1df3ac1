// Turns: whose writes go on when the spool is nearly full.
#include "filesystem/turns.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

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
                 [](std::uint64_t) { return std::uint64_t{1} << 40; }};
  Turns turns_{budget_, clock_, {.full_timeout = kTimeout}};
};

TEST_F(TurnsTest, EverybodyGoesOnWhileThereIsRoom) {
  Use(kPlentyUsed);
  for (VersionId const file : {1U, 2U, 3U}) EXPECT_EQ(Ask(file), Turn::kGo);
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

TEST_F(TurnsTest, WhatIsLeftBelongsToTheFileThatHasMost) {
  Use(kLowUsed);
  EXPECT_EQ(Ask(1, 2 * kUnit), Turn::kGo);
  EXPECT_EQ(Ask(2, 4 * kUnit), Turn::kWait);
  EXPECT_EQ(Ask(3, 3 * kUnit), Turn::kWait);
  turns_.Leave(1);
  EXPECT_EQ(Ask(3, 3 * kUnit), Turn::kWait);
  EXPECT_EQ(Ask(2, 4 * kUnit), Turn::kGo);
}

TEST_F(TurnsTest, TheOthersStopAtAThirdTogetherHoweverMuchRoomThereIs) {
  Use(9 * kUnit);
  EXPECT_EQ(Ask(1, 3 * kUnit), Turn::kGo);
  EXPECT_EQ(Ask(2, 3 * kUnit), Turn::kGo);
  EXPECT_EQ(Ask(3, 3 * kUnit), Turn::kWait) << "6 of 16 would be of others than the largest";
  EXPECT_EQ(Ask(1, 3 * kUnit), Turn::kGo);
  EXPECT_EQ(Ask(2, 3 * kUnit), Turn::kWait);
  turns_.Leave(1);
  EXPECT_EQ(Ask(2, 3 * kUnit), Turn::kGo);
  EXPECT_EQ(Ask(3, 3 * kUnit), Turn::kGo);
}

TEST_F(TurnsTest, NobodyFailsForTheSakeOfOthersWhileThereIsRoom) {
  Use(9 * kUnit);
  EXPECT_EQ(Ask(1, 3 * kUnit), Turn::kGo);
  EXPECT_EQ(Ask(2, 3 * kUnit), Turn::kGo);
  EXPECT_EQ(Ask(3, 3 * kUnit), Turn::kWait);
  for (auto waited = std::chrono::seconds(0); waited < kTimeout;
       waited += std::chrono::seconds(5)) {
    clock_.Advance(std::chrono::seconds(5));
    EXPECT_EQ(Ask(1, 3 * kUnit), Turn::kGo);
  }
  EXPECT_EQ(Ask(3, 3 * kUnit), Turn::kWait) << "it has waited long enough";
  EXPECT_EQ(Ask(3, 3 * kUnit), Turn::kGo);
  EXPECT_EQ(Ask(3, 3 * kUnit), Turn::kGo) << "and does not wait so long again";
}

TEST_F(TurnsTest, ASmallFileDoesNotWaitForALargeOne) {
  Use(10 * kUnit);
  EXPECT_EQ(Ask(1, 9 * kUnit), Turn::kGo);
  EXPECT_EQ(Ask(2, kUnit), Turn::kGo);
}

TEST_F(TurnsTest, WhatIsStuckCountsAsThatOfOthers) {
  Use(8 * kUnit);
  budget_.SetStuck(6 * kUnit);
  EXPECT_EQ(Ask(1, kUnit), Turn::kGo) << "alone";
  EXPECT_EQ(Ask(2, kUnit), Turn::kWait);
  budget_.SetStuck(0);
  EXPECT_EQ(Ask(2, kUnit), Turn::kGo);
}

TEST_F(TurnsTest, WhereBytesOfUnfinishedFilesGoNobodyStopsEarly) {
  Use(9 * kUnit);
  Turns trimming(budget_, clock_, {.full_timeout = kTimeout, .trims = true});
  for (VersionId const file : {1U, 2U, 3U}) EXPECT_EQ(trimming.Ask(file, 3 * kUnit), Turn::kGo);
}

TEST_F(TurnsTest, WhenNothingWillGoOneAfterAnotherIsToldTheSmallestFirst) {
  Use(kAllUsed);
  EXPECT_EQ(Ask(1, 5 * kUnit), Turn::kWait);
  EXPECT_EQ(Ask(2, 4 * kUnit), Turn::kWait);
  EXPECT_EQ(Ask(3, 4 * kUnit), Turn::kWait);
  budget_.NoteHopeless(budget_.changes());
  EXPECT_EQ(Ask(1, 5 * kUnit), Turn::kWait);
  EXPECT_EQ(Ask(2, 4 * kUnit), Turn::kWait) << "older than another one that has as much";
  EXPECT_EQ(Ask(3, 4 * kUnit), Turn::kFull);
  EXPECT_EQ(Ask(2, 4 * kUnit), Turn::kWait) << "what the first one leaves may go";
  turns_.Leave(3);
  EXPECT_FALSE(budget_.IsHopeless()) << "something has changed";
  EXPECT_EQ(Ask(2, 4 * kUnit), Turn::kWait);
  budget_.NoteHopeless(budget_.changes());
  EXPECT_EQ(Ask(2, 4 * kUnit), Turn::kFull);
  clock_.Advance(std::chrono::seconds(11));
  EXPECT_EQ(Ask(1, 5 * kUnit), Turn::kFull) << "the one before has not closed its file";
}

TEST_F(TurnsTest, NothingIsHopelessWhileBytesAreAboutToGo) {
  auto going = budget_.NoteGoing();
  budget_.NoteHopeless(budget_.changes());
  EXPECT_FALSE(budget_.IsHopeless());
  going.reset();
  budget_.NoteHopeless(budget_.changes());
  EXPECT_TRUE(budget_.IsHopeless());
}

TEST_F(TurnsTest, WhatWasHopelessIsLookedAtAnewAfterAnyChange) {
  Use(kAllUsed);
  auto const before = budget_.changes();
  budget_.Poke();
  budget_.NoteHopeless(before);
  EXPECT_FALSE(budget_.IsHopeless()) << "that was seen before the change";
  EXPECT_EQ(Ask(1), Turn::kWait);
}

// Copies that run at once, a server that takes what is finished, and somebody who makes room.
class CopiesAtOnce : public testing::TestWithParam<unsigned> {
 protected:
  static constexpr std::int64_t kLimit = 4096;

  struct Copy {
    std::int64_t size = 0;
    std::int64_t written = 0;
    enum { kWrites, kWaits, kFinished, kGone, kFailed, kDropped } state = kWrites;
  };

  void Ask(std::size_t i) {
    auto& copy = copies_[i];
    auto const turn = turns_.Ask(i + 1, static_cast<std::uint64_t>(copy.written));
    if (turn == Turn::kWait) copy.state = Copy::kWaits;
    if (turn == Turn::kGo) copy.state = Copy::kWrites;
    if (turn != Turn::kFull) return;
    copy.state = Copy::kFailed;
    turns_.Leave(i + 1);
  }

  void Write(std::size_t i) {
    auto& copy = copies_[i];
    if (copy.written == copy.size) {
      copy.state = Copy::kFinished;
      turns_.Leave(i + 1);
      return;
    }
    ++copy.written;
    budget_.Charge(1);
    Ask(i);
  }

  /// As the Reclaimer and the server.
  void MakeRoom(bool drops) {
    auto const seen = budget_.changes();
    std::int64_t stuck = 0;
    bool goes_on = false;
    for (auto& copy : copies_) {
      if (copy.state == Copy::kFailed) stuck += copy.written;
      if (copy.state == Copy::kFinished) goes_on = true;
    }
    budget_.SetStuck(static_cast<std::uint64_t>(stuck));
    if (goes_on && random_() % 8 == 0) {
      auto const first = std::ranges::find(copies_, Copy::kFinished, &Copy::state);
      first->state = Copy::kGone;
      budget_.Charge(-first->written);
    }
    if (goes_on || budget_.room() != Room::kNone) return;
    auto const failed = std::ranges::find(copies_, Copy::kFailed, &Copy::state);
    if (!drops || failed == copies_.end()) return budget_.NoteHopeless(seen);
    failed->state = Copy::kDropped;
    budget_.Charge(-failed->written);
  }

  /// Returns how many were published.
  int Run(std::vector<std::int64_t> const& sizes, bool drops) {
    for (auto const size : sizes) copies_.push_back({.size = size});
    auto const is_over = [](Copy const& copy) { return copy.state >= Copy::kGone; };
    for (int step = 0; step < 2'000'000 && !std::ranges::all_of(copies_, is_over); ++step) {
      auto const i = random_() % copies_.size();
      if (copies_[i].state == Copy::kWrites) Write(i);
      if (copies_[i].state == Copy::kWaits) Ask(i);
      if (step % 4 == 0) MakeRoom(drops);
      clock_.Advance(std::chrono::milliseconds(1));
    }
    EXPECT_TRUE(std::ranges::all_of(copies_, is_over)) << "somebody waits for ever";
    return static_cast<int>(std::ranges::count(copies_, Copy::kGone, &Copy::state));
  }

  std::mt19937 random_{GetParam()};
  FakeClock clock_;
  Budget budget_{{.size = static_cast<std::uint64_t>(kLimit)},
                 [](std::uint64_t) { return std::uint64_t{1} << 40; }};
  Turns turns_{budget_, clock_, {.full_timeout = std::chrono::hours(1)}};
  std::vector<Copy> copies_;
};

TEST_P(CopiesAtOnce, OfWhichEachTakesLessThanTwoThirdsOfTheSpoolAllArrive) {
  std::vector<std::int64_t> sizes(2 + random_() % 9);
  for (auto& size : sizes) size = 1 + static_cast<std::int64_t>(random_() % (kLimit * 5 / 8));
  EXPECT_EQ(Run(sizes, false), static_cast<int>(sizes.size()));
}

TEST_P(CopiesAtOnce, OfLargerFilesOneArrivesWhereInterruptedOnesGo) {
  std::vector<std::int64_t> sizes(2 + random_() % 5);
  for (auto& size : sizes) size = kLimit * 3 / 4 + static_cast<std::int64_t>(random_() % 64);
  EXPECT_GE(Run(sizes, true), 1);
}

TEST_P(CopiesAtOnce, OfFilesThatCannotFitBesideEachOtherNoneWaitsForEver) {
  std::vector<std::int64_t> sizes(2 + random_() % 5, kLimit * 7 / 8);
  Run(sizes, false);
}

INSTANTIATE_TEST_SUITE_P(Seeds, CopiesAtOnce, testing::Range(0U, 50U));

}  // namespace
}  // namespace tusfs
