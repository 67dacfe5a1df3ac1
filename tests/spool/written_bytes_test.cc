// WrittenBytes: what is said to be written was written; anything else waits.
#include "spool/written_bytes.h"

#include <fcntl.h>
#include <gmock/gmock.h>

#include "base/fakes.h"
#include "spool/version.h"
#include "testing/files.h"

namespace tusfs {
namespace {

using tusfs_testing::TempDir;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;

class WrittenBytesTest : public testing::Test {
 protected:
  std::shared_ptr<Version> Open(std::uint64_t size, bool is_new, std::uint64_t trimmed = 0) {
    return std::make_shared<Version>(
        1, OpenFile(path_, O_RDWR | O_CREAT).value(),
        Version::Body{.size = size, .is_new = is_new, .trimmed = trimmed});
  }
  // As a later process does.
  void Reopen() {
    auto const size = version_->size();
    auto const trimmed = version_->trimmed();
    ASSERT_TRUE(Ok(version_->Sync()));  // not all disks tell of what lies in memory only
    version_ = Open(size, false, trimmed);
    version_->KnowSent({}, false);
  }
  bool Write(std::uint64_t offset, std::uint64_t size) {
    std::string const bytes(size, 'x');
    auto const written = version_->Write(offset, std::as_bytes(std::span(bytes)));
    EXPECT_TRUE(Ok(written));
    return written && written->notify;
  }
  void Allocate(int mode, std::uint64_t offset, std::uint64_t length) {
    EXPECT_TRUE(Ok(version_->Allocate(mode, offset, length)));
  }
  [[nodiscard]] bool IsWritten(std::uint64_t begin, std::uint64_t end) const {
    return version_->IsWritten({begin, end});
  }

  TempDir const dir_;
  std::filesystem::path const path_ = dir_ / "version";
  std::shared_ptr<Version> version_ = Open(0, true);
};

TEST_F(WrittenBytesTest, AreThoseThatWereWrittenInAnyOrder) {
  Write(20, 10);
  Write(0, 5);
  EXPECT_TRUE(IsWritten(20, 30));
  EXPECT_TRUE(IsWritten(22, 25));
  EXPECT_FALSE(IsWritten(0, 30));
  EXPECT_FALSE(IsWritten(19, 21));
  EXPECT_FALSE(IsWritten(25, 31)) << "behind the end";
  Write(5, 15);
  EXPECT_TRUE(IsWritten(0, 30));
}

TEST_F(WrittenBytesTest, GrowthWithoutBytesIsNone) {
  EXPECT_TRUE(Ok(version_->Truncate(100)));
  EXPECT_FALSE(IsWritten(0, 1));
  Allocate(0, 0, 200);
  EXPECT_FALSE(IsWritten(100, 101));
  Write(150, 10);
  EXPECT_TRUE(IsWritten(150, 160));
}

TEST_F(WrittenBytesTest, WhatWasCutOffOrZeroedHasToBeWrittenAgain) {
  Write(0, 100);
  EXPECT_TRUE(Ok(version_->Truncate(50)));
  EXPECT_TRUE(Ok(version_->Truncate(100)));
  EXPECT_FALSE(IsWritten(49, 51));
  EXPECT_TRUE(IsWritten(0, 50));
  Allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 10, 5);
  EXPECT_TRUE(IsWritten(0, 10));
  EXPECT_FALSE(IsWritten(12, 13));
  EXPECT_TRUE(IsWritten(15, 50));
  EXPECT_EQ(version_->prefix(), 10U);
  Write(10, 5);
  EXPECT_EQ(version_->prefix(), 50U) << "the gap is filled";
}

TEST_F(WrittenBytesTest, EachMarkIsToldOnceWhenTheLastByteOfItIsThere) {
  EXPECT_FALSE(version_->NotifyWhenWritten({10, 20}));
  EXPECT_FALSE(version_->NotifyWhenWritten({30, 40}));
  EXPECT_FALSE(version_->NotifyWhenWritten({30, 40})) << "once, however often it is asked";
  EXPECT_FALSE(Write(12, 8));
  EXPECT_FALSE(Write(20, 10)) << "beside both";
  EXPECT_TRUE(Write(0, 12));
  EXPECT_FALSE(Write(12, 1)) << "once";
  EXPECT_TRUE(Write(30, 15)) << "beside the first mark";
  EXPECT_FALSE(Write(30, 10));
  EXPECT_TRUE(version_->NotifyWhenWritten({15, 45})) << "already there";
  EXPECT_FALSE(Write(15, 1));
}

TEST_F(WrittenBytesTest, AMarkOfThePrefixStaysBesideTheOthers) {
  EXPECT_FALSE(version_->NotifyAt(5));
  EXPECT_FALSE(version_->NotifyWhenWritten({10, 12}));
  EXPECT_TRUE(Write(10, 2));
  EXPECT_TRUE(Write(0, 5));
  EXPECT_FALSE(Write(5, 1));
}

// Whoever writes every second byte of a large file.
TEST_F(WrittenBytesTest, AStrangerWithManyGapsTakesABoundedMemory) {
  WrittenBytes written({}, 1);
  EXPECT_TRUE(written.Wrote({0, 10}));
  EXPECT_FALSE(written.Wrote({1'000'000'000, 1'000'001'000}));
  for (std::uint64_t i = 0; i < 100'000; ++i) EXPECT_FALSE(written.Wrote({i * 2 + 20, i * 2 + 21}));
  EXPECT_LE(written.ranges().size(), WrittenBytes::kMostRanges);
  EXPECT_EQ(written.prefix(), 10U) << "the beginning is never forgotten";
  EXPECT_TRUE(written.Covers({1'000'000'000, 1'000'001'000})) << "nor are the largest";
  for (std::uint64_t i = 0; i < 10'000; ++i) EXPECT_FALSE(written.NotifyWhen({5, i + 500'000}));
  EXPECT_EQ(written.marks(), WrittenBytes::kMostMarks);
}

// ---- what the disk says to a later process

TEST_F(WrittenBytesTest, ALaterProcessKnowsWhatLiesBehindAHole) {
  Write(0, kMiB);
  Write(3 * kMiB, kMiB);
  Write(8 * kMiB, kMiB);
  Reopen();
  EXPECT_EQ(version_->prefix(), kMiB);
  EXPECT_FALSE(IsWritten(kMiB, 2 * kMiB));
  EXPECT_TRUE(IsWritten(3 * kMiB + WrittenBytes::kEdge, 4 * kMiB - WrittenBytes::kEdge));
  EXPECT_TRUE(IsWritten(8 * kMiB + WrittenBytes::kEdge, 9 * kMiB)) << "up to the end";
}

TEST_F(WrittenBytesTest, ALaterProcessDoesNotBelieveInTheBlocksBesideAHole) {
  Write(0, 4096);
  Write(3 * kMiB + 100, kMiB);  // the disk says that its first block is data
  Write(8 * kMiB, 1);
  Reopen();
  EXPECT_FALSE(IsWritten(3 * kMiB, 3 * kMiB + 100));
  EXPECT_FALSE(IsWritten(4 * kMiB + 100, 4 * kMiB + 101));
  EXPECT_TRUE(IsWritten(3 * kMiB + 2 * WrittenBytes::kEdge, 4 * kMiB - WrittenBytes::kEdge));
}

TEST_F(WrittenBytesTest, ALaterProcessDoesNotTakeWhatWasOnlyAllocatedForWritten) {
  Write(0, kMiB);
  Allocate(0, 0, 8 * kMiB);
  Write(4 * kMiB, kMiB);
  Reopen();
  EXPECT_EQ(version_->prefix(), kMiB);
  EXPECT_FALSE(IsWritten(2 * kMiB, 2 * kMiB + 1));
  EXPECT_FALSE(IsWritten(6 * kMiB, 8 * kMiB));
  EXPECT_TRUE(IsWritten(4 * kMiB + WrittenBytes::kEdge, 5 * kMiB - WrittenBytes::kEdge));
}

TEST_F(WrittenBytesTest, WhatWasTrimmedWasWrittenOnce) {
  Write(0, 4 * kMiB);
  ASSERT_TRUE(Ok(version_->TrimTo(2 * kMiB)));
  EXPECT_TRUE(IsWritten(0, 4 * kMiB));
  Reopen();
  EXPECT_TRUE(IsWritten(0, 4 * kMiB));
}

TEST_F(WrittenBytesTest, OfManyExtentsThatAreAllEdgeALaterProcessBelievesNone) {
  auto const file = OpenFile(path_, O_RDWR).value();
  constexpr std::uint64_t kExtents = WrittenBytes::kMostRanges + 100;
  constexpr std::uint64_t kStep = 4 * WrittenBytes::kEdge;
  for (std::uint64_t i = 0; i < kExtents; ++i) {
    ASSERT_EQ(::pwrite(file.get(), "x", 1, static_cast<off_t>(i * kStep)), 1);
  }
  auto const ranges = WrittenBytes::OnDisk(file.get(), 0, kExtents * kStep);
  EXPECT_THAT(ranges.ranges(), testing::SizeIs(1)) << "the one at the beginning";
  ASSERT_EQ(::ftruncate(file.get(), 0), 0);
  EXPECT_THAT(WrittenBytes::OnDisk(file.get(), 0, 0).ranges(), testing::IsEmpty());
}

}  // namespace
}  // namespace tusfs
