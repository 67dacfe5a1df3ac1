// Version: bytes, what of them is written, and what was sent.
#include "spool/version.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/resource.h>

#include <atomic>
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
  // A version of what is on disk; `is_new` as of Version's constructor.
  std::shared_ptr<Version> Open(std::uint64_t size, bool is_new = true) {
    return std::make_shared<Version>(1, OpenFile(path_, O_RDWR | O_CREAT).value(),
                                     Version::Body{.size = size, .is_new = is_new});
  }

  // As a later process does, of which nothing was sent.
  std::shared_ptr<Version> Reopen(std::uint64_t size) {
    auto version = Open(size, false);
    version->KnowSent({}, false);
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
  auto const version = Open(5, false);
  ASSERT_TRUE(Ok(version->DropTail()));
  EXPECT_EQ(ReadFile(path_), "12345");
  EXPECT_EQ(version->size(), 5U);
}

TEST_F(VersionTest, DroppingNothingIsNoChange) {
  Write(0, "12345");
  auto const version = Open(5, false);
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
  EXPECT_EQ(version_->prefix(), 11U);
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

// ---- what was sent

TEST_F(VersionTest, AChangeOfWhatWasSentIsRefusedAndWritesNothing) {
  Write(0, "0123456789");
  ASSERT_TRUE(version_->Claim({0, 5}));
  auto const changes = version_->changes();
  EXPECT_TRUE(Write(4, "XY").was_sent);
  EXPECT_TRUE(Write(0, "X").was_sent);
  EXPECT_EQ(Read(), "0123456789");
  EXPECT_EQ(version_->changes(), changes);
  EXPECT_FALSE(Write(5, "X").was_sent);
  EXPECT_EQ(Read(), "01234X6789");
}

TEST_F(VersionTest, ATruncationOfWhatWasSentIsRefused) {
  Write(0, "0123456789");
  ASSERT_TRUE(version_->Claim({0, 5}));
  EXPECT_TRUE(Truncate(4).was_sent);
  EXPECT_EQ(version_->size(), 10U);
  EXPECT_FALSE(Truncate(5).was_sent);
  EXPECT_EQ(version_->size(), 5U);
  EXPECT_FALSE(Truncate(8).was_sent);
}

TEST_F(VersionTest, MoreThanThereIsCannotBeClaimed) {
  Write(0, "01234");
  EXPECT_FALSE(version_->Claim({0, 6}));
  EXPECT_TRUE(version_->Claim({0, 5}));
  EXPECT_TRUE(version_->Claim({0, 2})) << "a resend";
  EXPECT_TRUE(version_->WasSent({4, 5})) << "what was sent is never forgotten by itself";
}

TEST_F(VersionTest, ASealedVersionDoesNotChangeAnywhere) {
  Write(0, "01234");
  ASSERT_TRUE(version_->Seal(version_->changes()));
  EXPECT_TRUE(Write(5, "5").was_sent);
  EXPECT_TRUE(Truncate(9).was_sent);
  EXPECT_FALSE(Truncate(5).was_sent) << "no change at all";
  version_->Unseal();
  EXPECT_FALSE(Write(5, "5").was_sent);
}

TEST_F(VersionTest, AVersionThatWasChangedSinceTheLookIsNotSealed) {
  Write(0, "01234");
  auto const changes = version_->changes();
  Write(5, "5");
  EXPECT_FALSE(version_->Seal(changes));
  EXPECT_FALSE(Write(6, "6").was_sent);
}

TEST_F(VersionTest, UntilItsHistoryIsKnownEverythingCountsAsSent) {
  WriteFile(path_, "0123456789");
  version_ = Open(10, false);
  EXPECT_TRUE(version_->WasSent({0, 1}));
  EXPECT_TRUE(version_->WasSent({100, 101}));
  EXPECT_TRUE(Write(10, "X").was_sent);
  EXPECT_TRUE(Truncate(20).was_sent);
  EXPECT_FALSE(version_->Claim({0, 1}));
  EXPECT_FALSE(version_->Seal(version_->changes()));
  EXPECT_EQ(Read(), "0123456789");
}

TEST_F(VersionTest, WhatTheCatalogSaysWasSentHoldsAndIsSaidOnce) {
  WriteFile(path_, "0123456789");
  version_ = Open(10, false);
  version_->KnowSent(ByteRanges({0, 4}), false);
  version_->KnowSent({}, false);  // by another thread that looked earlier
  EXPECT_TRUE(Write(3, "X").was_sent);
  EXPECT_FALSE(Write(4, "X").was_sent);
  EXPECT_TRUE(version_->Claim({0, 6}));
}

TEST_F(VersionTest, ARestoredSealHolds) {
  WriteFile(path_, "0123456789");
  version_ = Open(10, false);
  version_->KnowSent(ByteRanges({0, 4}), true);
  EXPECT_TRUE(Write(10, "X").was_sent);
}

TEST_F(VersionTest, AfterAResetEverythingMayChange) {
  Write(0, "01234");
  ASSERT_TRUE(version_->Claim({0, 5}));
  ASSERT_TRUE(version_->Seal(version_->changes()));
  version_->ReleaseAll();
  EXPECT_FALSE(Write(0, "X").was_sent);
  EXPECT_FALSE(version_->WasSent({0, 1}));
}

// ---- parts

TEST_F(VersionTest, WhatLiesBetweenClaimedPartsMayChange) {
  Write(0, "0123456789");
  ASSERT_TRUE(version_->Claim({0, 3}));
  ASSERT_TRUE(version_->Claim({6, 8}));
  EXPECT_FALSE(Write(3, "abc").was_sent);
  EXPECT_FALSE(Write(8, "xy").was_sent);
  auto const refused = Write(5, "AB");
  ASSERT_TRUE(refused.was_sent);
  EXPECT_EQ(*refused.was_sent, (ByteRange{5, 7})) << "what the uploader has to let go of";
  EXPECT_EQ(Read(), "012abc67xy");
  EXPECT_EQ(Truncate(7).was_sent, (ByteRange{7, kNoEnd}));
  EXPECT_FALSE(Truncate(8).was_sent);
}

TEST_F(VersionTest, APartThatWasReleasedMayChangeAndTheOthersMayNot) {
  Write(0, "0123456789");
  ASSERT_TRUE(version_->Claim({0, 10}));
  version_->Release({2, 4});
  EXPECT_FALSE(Write(2, "XX").was_sent);
  EXPECT_TRUE(Write(1, "X").was_sent);
  EXPECT_TRUE(Write(4, "X").was_sent);
  ASSERT_TRUE(version_->Claim({2, 4}));
  EXPECT_TRUE(Write(2, "Y").was_sent);
}

TEST_F(VersionTest, PartsThatAnEarlierProcessHasSentDoNotChange) {
  WriteFile(path_, "0123456789");
  version_ = Open(10, false);
  version_->Release({0, 10});
  EXPECT_TRUE(version_->WasSent({0, 1})) << "nobody knows yet what was sent";
  ByteRanges sent({0, 2});
  sent.Add({5, 7});
  version_->KnowSent(sent, false);
  EXPECT_TRUE(Write(6, "X").was_sent);
  EXPECT_FALSE(Write(2, "abc").was_sent);
}

TEST_F(VersionTest, AGapThatAWriteLeavesIsAChangeToo) {
  WriteFile(path_, "0123456789");
  version_ = Open(4, false);
  version_->KnowSent(ByteRanges({0, 6}), false);  // more than came through a power cut
  EXPECT_EQ(Write(8, "X").was_sent, (ByteRange{4, 9})) << "bytes 4 and 5 would be zeros";
}

TEST_F(VersionTest, NoWriteSlipsUnderAClaim) {
  // Whatever a claim has covered must be read the same ever after.
  Write(0, std::string(4096, 'a'));
  std::jthread const writer([this](std::stop_token stop) {
    for (char c = 'b'; !stop.stop_requested(); c = c == 'z' ? 'b' : static_cast<char>(c + 1)) {
      auto const bytes = std::string(4096, c);
      auto const written = version_->Write(0, std::as_bytes(std::span(bytes)));
      if (!written || written->was_sent) return;
    }
  });
  ASSERT_TRUE(version_->Claim({0, 4096}));
  auto const claimed = Read();
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(Read() == claimed);
  EXPECT_EQ(claimed, std::string(4096, claimed[0]));
}

TEST_F(VersionTest, AClaimBesideAWriterDoesNotWaitForHimNorDoesHeChangeIt) {
  Write(0, std::string(8192, 'a'));
  std::atomic<bool> refused{false};
  std::jthread const writer([&](std::stop_token const& stop) {
    auto const bytes = std::string(4096, 'b');
    while (!stop.stop_requested()) {
      auto const written = version_->Write(4096, std::as_bytes(std::span(bytes)));
      if (!written || written->was_sent) refused = true;
    }
  });
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(version_->Claim({0, 4096}));
    version_->Release({0, 4096});
  }
  EXPECT_FALSE(refused);
}

TEST_F(VersionTest, NothingIsSealedWhileItIsBeingChanged) {
  // Also by a look that was taken in the middle of that change: what is sealed stays as it is.
  constexpr std::size_t kSize = 1 << 20;
  Write(0, std::string(kSize, 'a'));
  std::jthread const writer([this](std::stop_token const& stop) {
    for (char c = 'b'; !stop.stop_requested(); c = c == 'z' ? 'b' : static_cast<char>(c + 1)) {
      auto const bytes = std::string(kSize, c);
      EXPECT_TRUE(Ok(version_->Write(0, std::as_bytes(std::span(bytes)))));
    }
  });
  for (int i = 0; i < 40; ++i) {
    auto const before = version_->changes();
    version_->Unseal();
    while (version_->changes() == before) {
    }
    while (!version_->Seal(version_->changes())) {
    }
    // Its last byte first: that is written last.
    auto const sealed = Read(kSize - 1, 1);
    ASSERT_EQ(Read(0, 1), sealed) << "half a write was sealed";
    ASSERT_TRUE(Read(0, kSize) == std::string(kSize, sealed[0]));
  }
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
  ASSERT_TRUE(version_->Claim({0, 8}));
  auto const hole = version_->Allocate(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 7, 1);
  EXPECT_TRUE(hole.value().was_sent);
  EXPECT_EQ(Read(), "0123456789");
  EXPECT_FALSE(version_->Allocate(0, 0, 12).value().was_sent) << "behind what was sent";
  ASSERT_TRUE(version_->Seal(version_->changes()));
  EXPECT_TRUE(version_->Allocate(0, 0, 14).value().was_sent) << "its length was declared";
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
  version_ = std::make_shared<Version>(1, OpenFile(path_, O_RDWR | O_CREAT).value(),
                                       Version::Body{.size = 0, .is_new = true}, nullptr, nullptr,
                                       writers);
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
    EXPECT_TRUE(version_->Claim({0, bytes_.size()}));
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
