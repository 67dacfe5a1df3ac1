// Version: bytes, the prefix that is written without a gap, and the frontier of what was sent.
#include "spool/version.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/resource.h>

#include <csignal>
#include <semaphore>
#include <thread>

#include "base/fakes.h"
#include "testing/files.h"

namespace tusfs {
namespace {

using tusfs_testing::ReadFile;
using tusfs_testing::TempDir;
using tusfs_testing::WriteFile;

class VersionTest : public testing::Test {
 protected:
  // A version of what is on disk; `frontier` as of Version's constructor.
  std::shared_ptr<Version> Open(std::uint64_t size, std::optional<std::uint64_t> frontier = 0) {
    return std::make_shared<Version>(1, OpenFile(path_, O_RDWR | O_CREAT).value(),
                                     Version::Body{.size = size, .frontier = frontier});
  }

  // As a later process does, of which nothing was sent.
  std::shared_ptr<Version> Reopen(std::uint64_t size) {
    auto version = Open(size, std::nullopt);
    version->KnowFrontier(0, false);
    return version;
  }

  Version::Written Write(std::uint64_t offset, std::string const& bytes) {
    auto const written = version_->Write(offset, std::as_bytes(std::span(bytes)));
    EXPECT_TRUE(Ok(written));
    return written.value_or(Version::Written{});
  }

  Version::Written Truncate(std::uint64_t size) {
    auto const done = version_->Truncate(size);
    EXPECT_TRUE(Ok(done));
    return done.value_or(Version::Written{});
  }

  std::string Read(std::uint64_t offset = 0, std::size_t size = 10'000) {
    std::string bytes(size, '?');
    auto const got = version_->Read(offset, std::as_writable_bytes(std::span(bytes)));
    EXPECT_TRUE(Ok(got));
    bytes.resize(got.value_or(0));
    return bytes;
  }

  TempDir const dir_;
  std::filesystem::path const path_ = dir_ / "version";
  std::shared_ptr<Version> version_ = Open(0);
};

TEST_F(VersionTest, WhatIsWrittenIsRead) {
  Write(0, "hello");
  Write(3, "LOW");
  EXPECT_EQ(Read(), "helLOW");
  EXPECT_EQ(Read(2, 2), "lL");
  EXPECT_EQ(Read(6), "");
  EXPECT_EQ(version_->size(), 6U);
  EXPECT_EQ(ReadFile(path_), "helLOW") << "safe from the death of the process";
}

TEST_F(VersionTest, EveryChangeCounts) {
  auto const before = version_->changes();
  Write(0, "x");
  auto const written = version_->changes();
  EXPECT_NE(written, before);
  Write(0, "x");
  EXPECT_NE(version_->changes(), written);
  auto const again = version_->changes();
  Truncate(0);
  EXPECT_NE(version_->changes(), again);
}

TEST_F(VersionTest, AWriteThatFailsHalfWayLeavesNothingBehindTheEnd) {
  Write(0, std::string(600, 'x'));
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit const small{.rlim_cur = 1000, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);  // stands for a disk that is full
  auto const bytes = std::string(600, 'y');
  auto const written = version_->Write(600, std::as_bytes(std::span(bytes)));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(CodeOf(written), EFBIG);
  EXPECT_EQ(version_->size(), 600U);
  EXPECT_EQ(version_->prefix(), 600U);
  EXPECT_EQ(Read(), std::string(600, 'x'));
  Write(1100, "z");
  EXPECT_EQ(Read(600, 500), std::string(500, '\0')) << "a hole is zeros, not what failed";
}

// ---- what is on disk already

TEST_F(VersionTest, WhatLiesBehindItsEndIsDropped) {
  WriteFile(path_, "12345678");
  auto const version = Open(5, std::nullopt);
  ASSERT_TRUE(Ok(version->DropTail()));
  EXPECT_EQ(ReadFile(path_), "12345");
  EXPECT_EQ(version->size(), 5U);
}

TEST_F(VersionTest, DroppingNothingIsNoChange) {
  Write(0, "12345");
  auto const version = Open(5, std::nullopt);
  auto const before = version->ModifiedOnDisk().value();
  ASSERT_TRUE(Ok(version->DropTail()));
  ASSERT_TRUE(Ok(version_->DropTail()));
  EXPECT_EQ(version->ModifiedOnDisk().value(), before);
  EXPECT_EQ(ReadFile(path_), "12345");
}

TEST_F(VersionTest, ItHoldsItsOwnBytesWhereTheyAreAndNoOthers) {
  auto const bytes = tusfs_testing::RandomBytes(100'000);
  Write(0, bytes);
  auto const holds = [&](std::uint64_t offset, std::string const& what) {
    return version_->Holds(offset, std::as_bytes(std::span(what)));
  };
  EXPECT_TRUE(holds(0, bytes));
  EXPECT_TRUE(holds(77, bytes.substr(77, 50'000)));
  EXPECT_FALSE(holds(78, bytes.substr(77, 50'000)));
  EXPECT_FALSE(holds(0, bytes + "x")) << "not all of it is there";
  EXPECT_FALSE(holds(200'000, "x"));
  auto other = bytes;
  other.back() ^= 1;
  EXPECT_FALSE(holds(0, other));
}

// ---- the prefix

TEST_F(VersionTest, ThePrefixGrowsWithWritesInOrder) {
  Write(0, "12345");
  EXPECT_EQ(version_->prefix(), 5U);
  Write(5, "678");
  EXPECT_EQ(version_->prefix(), 8U);
  Write(2, "x");
  EXPECT_EQ(version_->prefix(), 8U);
}

TEST_F(VersionTest, AHoleStopsThePrefixAndFillingItInPartDoesNotLie) {
  Write(0, "12");
  Write(10, "x");
  EXPECT_EQ(version_->prefix(), 2U);
  EXPECT_EQ(version_->size(), 11U);
  Write(2, "345");
  EXPECT_EQ(version_->prefix(), 5U);
  Write(4, "567890");  // up to the byte that was written before
  EXPECT_GE(version_->prefix(), 10U);
  EXPECT_LE(version_->prefix(), 11U);
}

TEST_F(VersionTest, ATruncationTakesThePrefixDownAndGrowthDoesNotLiftIt) {
  Write(0, "12345");
  Truncate(3);
  EXPECT_EQ(version_->prefix(), 3U);
  Truncate(8);
  EXPECT_EQ(version_->prefix(), 3U);
  EXPECT_EQ(Read(), std::string("123\0\0\0\0\0", 8));
}

TEST_F(VersionTest, AFileThatIsOpenedAgainHasThePrefixThatTheDiskKnows) {
  WriteFile(path_, std::string(100, 'x'));
  version_ = Open(100);
  EXPECT_EQ(version_->prefix(), 100U);
  version_ = Open(40);
  EXPECT_EQ(version_->prefix(), 40U);
}

TEST_F(VersionTest, AHoleOnDiskStopsThePrefixOfAFileThatIsOpenedAgain) {
  Write(0, std::string(4096, 'x'));
  Write(1'000'000, "y");
  ASSERT_TRUE(Ok(version_->Sync()));
  version_ = Open(1'000'001);
  EXPECT_LT(version_->prefix(), 1'000'000U);
}

TEST_F(VersionTest, NotifiesOnceWhenThePrefixPassesTheMark) {
  EXPECT_FALSE(version_->NotifyAt(5));
  EXPECT_FALSE(Write(0, "1234").notify);
  EXPECT_FALSE(Write(10, "x").notify) << "behind a hole";
  EXPECT_TRUE(Write(4, "5").notify);
  EXPECT_FALSE(Write(5, "6").notify) << "once";
  EXPECT_TRUE(version_->NotifyAt(6)) << "already there";
}

TEST_F(VersionTest, AFreshVersionNotifiesAtItsFirstGranule) {
  EXPECT_FALSE(Write(0, std::string(Version::kGranule, 'x')).notify);
  EXPECT_TRUE(Write(Version::kGranule, "x").notify);
}

// ---- the frontier

TEST_F(VersionTest, AWriteBelowTheFrontierIsRefusedAndWritesNothing) {
  Write(0, "0123456789");
  ASSERT_TRUE(version_->Claim(5));
  auto const changes = version_->changes();
  EXPECT_TRUE(Write(4, "XY").below_frontier);
  EXPECT_TRUE(Write(0, "X").below_frontier);
  EXPECT_EQ(Read(), "0123456789");
  EXPECT_EQ(version_->changes(), changes);
  EXPECT_FALSE(Write(5, "X").below_frontier);
  EXPECT_EQ(Read(), "01234X6789");
}

TEST_F(VersionTest, ATruncationBelowTheFrontierIsRefused) {
  Write(0, "0123456789");
  ASSERT_TRUE(version_->Claim(5));
  EXPECT_TRUE(Truncate(4).below_frontier);
  EXPECT_EQ(version_->size(), 10U);
  EXPECT_FALSE(Truncate(5).below_frontier);
  EXPECT_EQ(version_->size(), 5U);
  EXPECT_FALSE(Truncate(8).below_frontier);
}

TEST_F(VersionTest, MoreThanThereIsCannotBeClaimed) {
  Write(0, "01234");
  EXPECT_FALSE(version_->Claim(6));
  EXPECT_TRUE(version_->Claim(5));
  EXPECT_TRUE(version_->Claim(2)) << "a resend";
  EXPECT_TRUE(version_->WasSent(4)) << "the frontier never goes back by itself";
}

TEST_F(VersionTest, ASealedVersionDoesNotChangeAnywhere) {
  Write(0, "01234");
  ASSERT_TRUE(version_->Seal(version_->changes()));
  EXPECT_TRUE(Write(5, "5").below_frontier);
  EXPECT_TRUE(Truncate(9).below_frontier);
  EXPECT_FALSE(Truncate(5).below_frontier) << "no change at all";
  version_->Unseal();
  EXPECT_FALSE(Write(5, "5").below_frontier);
}

TEST_F(VersionTest, AVersionThatWasChangedSinceTheLookIsNotSealed) {
  Write(0, "01234");
  auto const changes = version_->changes();
  Write(5, "5");
  EXPECT_FALSE(version_->Seal(changes));
  EXPECT_FALSE(Write(6, "6").below_frontier);
}

TEST_F(VersionTest, UntilItsHistoryIsKnownEverythingCountsAsSent) {
  WriteFile(path_, "0123456789");
  version_ = Open(10, std::nullopt);
  EXPECT_TRUE(version_->WasSent(0));
  EXPECT_TRUE(version_->WasSent(100));
  EXPECT_TRUE(Write(10, "X").below_frontier);
  EXPECT_TRUE(Truncate(20).below_frontier);
  EXPECT_FALSE(version_->Claim(1));
  EXPECT_FALSE(version_->Seal(version_->changes()));
  EXPECT_EQ(Read(), "0123456789");
}

TEST_F(VersionTest, ARestoredFrontierHoldsAndIsRestoredOnce) {
  WriteFile(path_, "0123456789");
  version_ = Open(10, std::nullopt);
  version_->KnowFrontier(4, false);
  version_->KnowFrontier(0, false);  // by another thread that looked earlier
  EXPECT_TRUE(Write(3, "X").below_frontier);
  EXPECT_FALSE(Write(4, "X").below_frontier);
  EXPECT_TRUE(version_->Claim(6));
}

TEST_F(VersionTest, ARestoredSealHolds) {
  WriteFile(path_, "0123456789");
  version_ = Open(10, std::nullopt);
  version_->KnowFrontier(4, true);
  EXPECT_TRUE(Write(10, "X").below_frontier);
}

TEST_F(VersionTest, AfterAResetEverythingMayChange) {
  Write(0, "01234");
  ASSERT_TRUE(version_->Claim(5));
  ASSERT_TRUE(version_->Seal(version_->changes()));
  version_->ResetFrontier();
  EXPECT_FALSE(Write(0, "X").below_frontier);
  EXPECT_FALSE(version_->WasSent(0));
}

TEST_F(VersionTest, NoWriteSlipsUnderAClaim) {
  // Whatever a claim has covered must be read the same ever after.
  Write(0, std::string(4096, 'a'));
  std::jthread const writer([this](std::stop_token stop) {
    for (char c = 'b'; !stop.stop_requested(); c = c == 'z' ? 'b' : static_cast<char>(c + 1)) {
      auto const bytes = std::string(4096, c);
      auto const written = version_->Write(0, std::as_bytes(std::span(bytes)));
      if (!written || written->below_frontier) return;
    }
  });
  ASSERT_TRUE(version_->Claim(4096));
  auto const claimed = Read();
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(Read() == claimed);
  EXPECT_EQ(claimed, std::string(4096, claimed[0]));
}

// ---- less than the disk has

TEST_F(VersionTest, ReadsEndWhereTheVersionEndsAndNotTheFile) {
  WriteFile(path_, "0123456789");
  version_ = Reopen(4);
  EXPECT_EQ(Read(), "0123");
  EXPECT_EQ(Read(4), "");
  EXPECT_EQ(Read(2, 100), "23");
  EXPECT_EQ(ReadFile(path_), "0123456789") << "kept until it is changed";
}

TEST_F(VersionTest, GrowingBringsZerosAndNotWhatWasBehindItsEnd) {
  WriteFile(path_, "0123456789");
  version_ = Reopen(4);
  Truncate(8);
  EXPECT_EQ(Read(), std::string("0123\0\0\0\0", 8));
}

TEST_F(VersionTest, AWriteBehindTheEndLeavesZerosBetween) {
  WriteFile(path_, "0123456789");
  version_ = Reopen(4);
  Write(6, "X");
  EXPECT_EQ(Read(), std::string("0123\0\0X", 7));
}

TEST_F(VersionTest, AnEmptyVersionOverAFullFileIsEmptyToo) {
  WriteFile(path_, "0123456789");
  version_ = Reopen(0);
  EXPECT_EQ(Read(), "");
  Write(3, "X");
  EXPECT_EQ(Read(), std::string("\0\0\0X", 4));
}

// ---- fallocate, holes

TEST_F(VersionTest, AllocatingGrowsItByZerosThatCountAsAHole) {
  Write(0, "abc");
  EXPECT_TRUE(Ok(version_->Allocate(0, 0, 10)));
  EXPECT_EQ(Read(), std::string("abc\0\0\0\0\0\0\0", 10));
  EXPECT_EQ(version_->prefix(), 3U);
}

TEST_F(VersionTest, AllocatingWithTheSizeKeptChangesNothing) {
  Write(0, "abc");
  auto const changes = version_->changes();
  EXPECT_TRUE(Ok(version_->Allocate(FALLOC_FL_KEEP_SIZE, 0, 10'000)));
  EXPECT_EQ(Read(), "abc");
  EXPECT_EQ(version_->changes(), changes);
}

TEST_F(VersionTest, AHoleEndsThePrefixAndIsZeros) {
  Write(0, "0123456789");
  auto const changes = version_->changes();
  EXPECT_TRUE(Ok(version_->Allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4, 100)));
  EXPECT_EQ(Read(), std::string("0123\0\0\0\0\0\0", 10));
  EXPECT_EQ(version_->prefix(), 4U);
  EXPECT_NE(version_->changes(), changes);
}

TEST_F(VersionTest, NeitherHolesNorGrowthChangeWhatWasSent) {
  Write(0, "0123456789");
  ASSERT_TRUE(version_->Claim(8));
  auto const hole = version_->Allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 7, 1);
  EXPECT_TRUE(hole.value().below_frontier);
  EXPECT_EQ(Read(), "0123456789");
  EXPECT_FALSE(version_->Allocate(0, 0, 12).value().below_frontier) << "behind what was sent";
  ASSERT_TRUE(version_->Seal(version_->changes()));
  EXPECT_TRUE(version_->Allocate(0, 0, 14).value().below_frontier) << "its length was declared";
}

TEST_F(VersionTest, DataAndHolesAreFound) {
  constexpr std::uint64_t kFar = 1 << 20;
  Write(kFar, "abc");
  EXPECT_EQ(version_->Seek(0, SEEK_DATA).value(), kFar);
  EXPECT_EQ(version_->Seek(0, SEEK_HOLE).value(), 0U);
  EXPECT_EQ(version_->Seek(kFar, SEEK_HOLE).value(), kFar + 3);
  EXPECT_EQ(CodeOf(version_->Seek(kFar + 3, SEEK_DATA)), ENXIO);
  EXPECT_EQ(CodeOf(version_->Seek(kFar + 3, SEEK_HOLE)), ENXIO);
}

TEST_F(VersionTest, WhatLiesBehindTheTrustedSizeIsNoData) {
  WriteFile(path_, "0123456789");
  version_ = Reopen(4);
  EXPECT_EQ(version_->Seek(0, SEEK_HOLE).value(), 4U);
  EXPECT_EQ(CodeOf(version_->Seek(4, SEEK_DATA)), ENXIO);
}

// ---- bytes that are not here any more

// The disk's part is one task for each part of kWriteBehind; here nobody has the time for one.
TEST_F(VersionTest, ALargeFileGoesToTheDiskWhileItIsWritten) {
  std::binary_semaphore begun(0);
  std::binary_semaphore go(0);
  auto const writers = std::make_shared<TaskPool>(1, 2);
  writers->Add([&] {
    begun.release();
    go.acquire();
  });
  begun.acquire();
  version_ =
      std::make_shared<Version>(1, OpenFile(path_, O_RDWR | O_CREAT).value(),
                                Version::Body{.size = 0, .frontier = 0}, nullptr, nullptr, writers);
  std::string const part(Version::kWriteBehind / 2, 'x');
  Write(0, part);
  EXPECT_TRUE(writers->TryAdd([] {})) << "too early";
  Write(part.size(), part);
  EXPECT_FALSE(writers->TryAdd([] {})) << "the disk has not been told";
  go.release();
  EXPECT_TRUE(Ok(version_->Sync()));
  EXPECT_EQ(version_->size(), Version::kWriteBehind);
}

class TrimmedVersionTest : public VersionTest {
 protected:
  TrimmedVersionTest() {
    Write(0, bytes_);
    EXPECT_TRUE(version_->Claim(bytes_.size()));
  }
  Result<std::size_t> Read(std::uint64_t offset, std::size_t size) {
    std::vector<std::byte> buffer(size);
    return version_->Read(offset, buffer);
  }
  std::string const bytes_ = std::string(1 << 20, 'x');
};

TEST_F(TrimmedVersionTest, GivesTheDiskBackWhatWasTrimmed) {
  auto const before = version_->taken();
  EXPECT_TRUE(Ok(version_->TrimTo(512 * 1024 + 1)));
  EXPECT_EQ(version_->trimmed(), 512U * 1024);
  EXPECT_EQ(before - version_->taken(), 512U * 1024);
  EXPECT_EQ(version_->size(), bytes_.size());
  EXPECT_EQ(version_->prefix(), bytes_.size());
}

TEST_F(TrimmedVersionTest, NeitherReadsNorChangesWhatWasTrimmed) {
  EXPECT_TRUE(Ok(version_->TrimTo(4096)));
  EXPECT_EQ(CodeOf(Read(0, 10)), EIO);
  EXPECT_EQ(CodeOf(Read(4095, 10)), EIO);
  EXPECT_EQ(Read(4096, 10).value_or(0), 10U);
  EXPECT_EQ(CodeOf(version_->Write(0, std::as_bytes(std::span("x").first(1)))), EIO);
  EXPECT_EQ(CodeOf(version_->Truncate(100)), EIO);
  EXPECT_FALSE(version_->Holds(0, std::as_bytes(std::span("x").first(1))));
  EXPECT_FALSE(version_->DigestOf(0, 4096));
}

TEST_F(TrimmedVersionTest, GoesOnBehindItsEnd) {
  EXPECT_TRUE(Ok(version_->TrimTo(bytes_.size())));
  Write(bytes_.size(), "more");
  EXPECT_EQ(version_->prefix(), bytes_.size() + 4);
}

TEST_F(TrimmedVersionTest, ALaterProcessKnowsItsPrefix) {
  EXPECT_TRUE(Ok(version_->TrimTo(4096)));
  version_ = std::make_shared<Version>(1, OpenFile(path_, O_RDWR).value(),
                                       Version::Body{.size = bytes_.size(), .trimmed = 4096});
  EXPECT_EQ(version_->prefix(), bytes_.size());
  EXPECT_EQ(CodeOf(Read(0, 10)), EIO);
}

}  // namespace
}  // namespace tusfs
