// Journal: records come back as they were written, up to the first that is not whole.
#include "catalog/journal.h"

#include <gmock/gmock.h>

#include <fstream>
#include <string>
#include <vector>

#include "base/fakes.h"
#include "testing/files.h"

namespace tusfs {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using tusfs_testing::TempDir;

class JournalTest : public testing::Test {
 protected:
  [[nodiscard]] Journal Open(std::uint64_t size = 8192) const {
    auto journal = Journal::Open(path_, size);
    EXPECT_TRUE(Ok(journal));
    return std::move(*journal);
  }

  static std::vector<std::string> Replay(Journal& journal, std::uint64_t epoch,
                                         std::uint64_t sequence) {
    std::vector<std::string> payloads;
    auto const done =
        journal.Replay(epoch, sequence, [&](Journal::Record const& record) -> Result<void> {
          auto const* const mark = record.turned ? "turned: " : "";
          payloads.push_back(mark + std::string(record.payload));
          return {};
        });
    EXPECT_TRUE(Ok(done));
    return payloads;
  }

  TempDir const dir_;
  std::filesystem::path const path_ = dir_ / "journal";
};

TEST_F(JournalTest, ReplaysWhatWasAppended) {
  auto journal = Open();
  ASSERT_TRUE(Ok(journal.Append(1, 5, "five")));
  ASSERT_TRUE(Ok(journal.Append(1, 6, "")));
  ASSERT_TRUE(Ok(journal.Append(1, 7, "seven")));
  auto again = Open();
  EXPECT_THAT(Replay(again, 1, 5), ElementsAre("five", "", "seven"));
}

TEST_F(JournalTest, GoesOnBehindWhatItReplayed) {
  {
    auto journal = Open();
    ASSERT_TRUE(Ok(journal.Append(1, 1, "one")));
  }
  auto journal = Open();
  EXPECT_THAT(Replay(journal, 1, 1), ElementsAre("one"));
  ASSERT_TRUE(Ok(journal.Append(1, 2, "two")));
  EXPECT_THAT(Replay(journal, 1, 1), ElementsAre("one", "two"));
}

TEST_F(JournalTest, ReadsNothingOfAnOlderEpoch) {
  auto journal = Open();
  ASSERT_TRUE(Ok(journal.Append(1, 1, "one")));
  EXPECT_THAT(Replay(journal, 2, 1), IsEmpty());
}

TEST_F(JournalTest, GoesOnInTheOtherHalfAndSaysSo) {
  auto journal = Open();
  ASSERT_TRUE(Ok(journal.Append(1, 1, "one")));
  journal.Turn();
  ASSERT_TRUE(Ok(journal.Append(2, 2, "two")));
  ASSERT_TRUE(Ok(journal.Append(2, 3, "three")));
  auto again = Open();
  EXPECT_THAT(Replay(again, 1, 1), ElementsAre("one", "turned: two", "three"));
  ASSERT_TRUE(Ok(again.Append(3, 4, "four")));
  EXPECT_THAT(Replay(again, 1, 1), ElementsAre("one", "turned: two", "three", "four"));
}

TEST_F(JournalTest, BeginsInEitherHalf) {
  auto journal = Open();
  ASSERT_TRUE(Ok(journal.Append(1, 1, "one")));
  journal.Turn();
  ASSERT_TRUE(Ok(journal.Append(2, 2, "two")));
  journal.Turn();
  ASSERT_TRUE(Ok(journal.Append(3, 3, "three")));
  auto again = Open();
  EXPECT_THAT(Replay(again, 2, 2), ElementsAre("two", "turned: three"));
  EXPECT_THAT(Replay(again, 3, 3), ElementsAre("three"));
}

TEST_F(JournalTest, DoesNotGoOnInTheOtherHalfBehindAGap) {
  auto journal = Open();
  ASSERT_TRUE(Ok(journal.Append(1, 1, "one")));
  ASSERT_TRUE(Ok(journal.Append(1, 2, "two")));
  journal.Turn();
  ASSERT_TRUE(Ok(journal.Append(2, 4, "four")));
  EXPECT_THAT(Replay(journal, 1, 1), ElementsAre("one", "two"));
}

// A power cut has kept a later page of the journal and lost the one before it.
TEST_F(JournalTest, WhatWasLeftBehindATornRecordIsNotReadWhenTheRecordIsWrittenAnew) {
  {
    auto journal = Open();
    for (std::uint64_t i = 1; i <= 5; ++i) ASSERT_TRUE(Ok(journal.Append(1, i, "same size")));
  }
  {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(2 * (32 + 9));
    file.write("torn", 4);
  }
  auto journal = Open();
  EXPECT_THAT(Replay(journal, 1, 1), ElementsAre("same size", "same size"));
  ASSERT_TRUE(Ok(journal.Append(2, 3, "different")));
  EXPECT_THAT(Replay(journal, 1, 1), ElementsAre("same size", "same size", "different"));
}

TEST_F(JournalTest, ReadsNothingBehindAGap) {
  auto journal = Open();
  ASSERT_TRUE(Ok(journal.Append(1, 1, "one")));
  ASSERT_TRUE(Ok(journal.Append(1, 3, "three")));
  EXPECT_THAT(Replay(journal, 1, 1), ElementsAre("one"));
}

TEST_F(JournalTest, WhatAnEarlierEpochLeftBehindTheNewOnesEndIsNotRead) {
  auto journal = Open();
  for (std::uint64_t i = 1; i <= 5; ++i) ASSERT_TRUE(Ok(journal.Append(1, i, "same size")));
  journal.Turn();
  journal.Turn();
  ASSERT_TRUE(Ok(journal.Append(2, 6, "same size")));
  EXPECT_THAT(Replay(journal, 2, 6), ElementsAre("same size"));
}

TEST_F(JournalTest, SaysWhenItIsFullAndAppendsNothingThen) {
  auto journal = Open(8192);
  std::string const payload(1000, 'v');
  ASSERT_TRUE(Ok(journal.Append(1, 1, payload)));
  ASSERT_TRUE(Ok(journal.Append(1, 2, payload)));
  ASSERT_TRUE(Ok(journal.Append(1, 3, payload)));
  EXPECT_FALSE(journal.Fits(payload.size()));
  EXPECT_NE(CodeOf(journal.Append(1, 4, payload)), 0);
  EXPECT_EQ(std::filesystem::file_size(path_), 8192U);
  EXPECT_EQ(Replay(journal, 1, 1).size(), 3U);
}

TEST_F(JournalTest, ItsSpaceIsWrittenBeforeItIsNeeded) {
  auto const journal = Open(3'000'000);
  EXPECT_EQ(std::filesystem::file_size(path_), 3'000'000U);
}

TEST_F(JournalTest, AnErrorOfApplyEndsTheReplayAndIsReturned) {
  auto journal = Open();
  ASSERT_TRUE(Ok(journal.Append(1, 1, "one")));
  ASSERT_TRUE(Ok(journal.Append(1, 2, "two")));
  int calls = 0;
  auto const done = journal.Replay(1, 1, [&](Journal::Record const&) -> Result<void> {
    ++calls;
    return Fail(ENOSPC, "full");
  });
  EXPECT_EQ(CodeOf(done), ENOSPC);
  EXPECT_EQ(calls, 1);
}

}  // namespace
}  // namespace tusfs
