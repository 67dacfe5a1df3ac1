// Progress: what a person reads while tusfsctl waits.
#include "control/progress.h"

#include <gmock/gmock.h>

namespace tusfs {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::uint64_t kMiB = 1024 * 1024;

class ProgressTest : public testing::Test {
 protected:
  void Note(int second, Progress::Numbers const& numbers) {
    now_ = start_ + seconds(second);
    progress_.Note(numbers, now_);
  }
  [[nodiscard]] std::string Line(std::size_t width = 79) const {
    return progress_.Line(width, now_);
  }

  Progress progress_;
  Progress::Time const start_{std::chrono::hours(1)};
  Progress::Time now_ = start_;
};

TEST_F(ProgressTest, SaysWhatIsLeftHowFastAndForHowLong) {
  Note(0, {.files = 3, .left = 100 * kMiB, .sent = 0});
  EXPECT_THAT(Line(), StartsWith("[........................] 0%  3 files, 100.0 MiB to go"));
  EXPECT_THAT(Line(), Not(HasSubstr("/s"))) << "no rate is known yet";
  Note(10, {.files = 1, .left = 50 * kMiB, .sent = 50 * kMiB});
  EXPECT_EQ(Line(), "[############............] 50%  1 file, 50.0 MiB to go, 5.0 MiB/s, 10 s left");
}

TEST_F(ProgressTest, TheRateIsOfTheLastMoments) {
  Note(0, {.files = 1, .left = 1000 * kMiB, .sent = 0});
  for (int second = 1; second <= 40; ++second) {
    Note(second, {.files = 1, .left = 900 * kMiB, .sent = 100 * kMiB});
  }
  EXPECT_EQ(progress_.Rate(now_), 0U) << "it was fast once";
}

TEST_F(ProgressTest, WhereNothingIsToldForLongNothingGoesOn) {
  Note(0, {.files = 1, .left = 100 * kMiB, .sent = 0});
  Note(5, {.files = 1, .left = 50 * kMiB, .sent = 50 * kMiB});
  EXPECT_GT(progress_.Rate(now_), 0U);
  EXPECT_EQ(progress_.Rate(now_ + seconds(60)), 0U);
}

TEST_F(ProgressTest, ADaemonThatCountsAnewGivesNoRate) {
  Note(0, {.files = 1, .left = 100 * kMiB, .sent = 500 * kMiB});
  Note(5, {.files = 1, .left = 90 * kMiB, .sent = 10 * kMiB});
  EXPECT_EQ(progress_.Rate(now_), 0U);
}

TEST_F(ProgressTest, AServerThatDoesNotAnswerIsSaid) {
  Note(0, {.files = 1, .left = kMiB, .sent = 0, .reachable = false});
  EXPECT_THAT(Line(), HasSubstr("the server does not answer"));
}

TEST_F(ProgressTest, ItIsNeverWiderThanTheTerminal) {
  Note(0, {.files = 100'000, .left = 1'000'000 * kMiB, .sent = 0});
  Note(10, {.files = 99'999, .left = 999'999 * kMiB, .sent = kMiB});
  for (std::size_t width = 0; width <= 120; ++width) EXPECT_LE(Line(width).size(), width);
  EXPECT_THAT(Line(60), StartsWith("0%  99999 files"));
}

TEST_F(ProgressTest, OfFilesWithoutBytesItSaysHowMany) {
  Note(0, {.files = 2});
  EXPECT_THAT(Line(), HasSubstr("0%  2 files, 0 B to go"));
}

TEST_F(ProgressTest, TheSentenceSaysWhetherItIsSafeToGo) {
  Note(0, {.files = 0, .sent = 5 * kMiB});
  EXPECT_TRUE(progress_.IsSafe());
  EXPECT_EQ(progress_.Sentence(now_), "Safe to go: everything is on the server");
  Note(1, {.files = 0, .stuck = 1, .sent = 5 * kMiB});
  EXPECT_FALSE(progress_.IsSafe());
  EXPECT_EQ(progress_.Sentence(now_), "1 file needs you; the rest is on the server");
  Note(0, {.stuck = 1, .beneath = {.left = 1}});
  EXPECT_EQ(progress_.Sentence(now_),
            "1 file needs you (1 file is left beneath the mount); the rest is on the server");
  Note(0, {.files = 2, .beneath = {.waiting = 1, .failed = 1}});
  EXPECT_EQ(progress_.Sentence(now_),
            "2 files, 0 B to go (2 files beneath the mount are not taken in yet)");
  Note(2, {.files = 1, .left = 50 * kMiB, .stuck = 2, .sent = 5 * kMiB, .paused = true});
  EXPECT_EQ(progress_.Sentence(now_),
            "1 file, 50.0 MiB to go, sending is paused; 2 files need you");
}

TEST_F(ProgressTest, TheBarKnowsWhatHadGoneBefore) {
  Note(0, {.files = 1, .left = 25 * kMiB, .size = 100 * kMiB});
  EXPECT_EQ(progress_.Percent(), 75);
  Note(1, {.files = 0});
  EXPECT_EQ(progress_.Percent(), 100);
  Note(2, {.files = 1, .left = 10 * kMiB, .size = 10 * kMiB});
  EXPECT_EQ(progress_.Percent(), 0) << "what was done before is over";
}

TEST_F(ProgressTest, ADurationIsSaidAsPeopleSayIt) {
  EXPECT_EQ(ShowDuration(seconds(0)), "0 s");
  EXPECT_EQ(ShowDuration(seconds(59)), "59 s");
  EXPECT_EQ(ShowDuration(seconds(60)), "1 min");
  EXPECT_EQ(ShowDuration(seconds(3 * 3600 + 20 * 60)), "3 h 20 min");
  EXPECT_EQ(ShowDuration(seconds(47 * 3600)), "47 h 0 min");
  EXPECT_EQ(ShowDuration(seconds(72 * 3600)), "3 days");
}

}  // namespace
}  // namespace tusfs
