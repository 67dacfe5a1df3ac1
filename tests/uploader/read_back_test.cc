// ReadBack: reading files whose bytes only the server has.
#include <thread>

#include "read_back_rig.h"

namespace tusfs {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

class ReadBackTest : public ReadBackRig {};

TEST_F(ReadBackTest, AFileLargerThanTheWindowComesWithoutTakingMoreOfTheDisk) {
  auto const bytes = Upload(10, 64 * kMiB + 12345);
  Begin({.window = 16 * kMiB});
  auto const began = std::chrono::steady_clock::now();
  EXPECT_TRUE(ReadAll(10) == bytes);
  std::chrono::duration<double> const took = std::chrono::steady_clock::now() - began;
  RecordProperty("MiB_per_s", static_cast<int>(64 / took.count()));
  EXPECT_LE(most_taken_, 16 * kMiB + kDigestBlock);
  EXPECT_EQ(Gets(), 1U);
  read_back_->Close(10);
  EXPECT_TRUE(tusfs_testing::WaitFor([&] { return spool_->budget().used() == 0; }));
}

TEST_F(ReadBackTest, ReadingEndsAtTheEnd) {
  auto const bytes = Upload(10, kDigestBlock + 100);
  Begin();
  EXPECT_EQ(Read(10, kDigestBlock + 50, 4096).value(), bytes.substr(kDigestBlock + 50));
  EXPECT_EQ(Read(10, kDigestBlock + 100, 4096).value(), "");
  EXPECT_EQ(Read(10, 0, 0).value(), "");
}

TEST_F(ReadBackTest, AFileThatIsHereIsStale) {
  Upload(10, 100);
  Change(10, [](Inode& inode) { inode.version = 7; });
  Begin();
  EXPECT_EQ(CodeOf(Read(10, 0, 10)), ESTALE);
}

TEST_F(ReadBackTest, AJumpBackIsServed) {
  auto const bytes = Upload(10, 48 * kMiB);
  Begin({.window = 16 * kMiB});
  for (std::uint64_t const at : {0U, 40U, 1U, 47U, 20U}) {
    EXPECT_TRUE(Read(10, at * kMiB, 500'000).value() == bytes.substr(at * kMiB, 500'000)) << at;
  }
  EXPECT_TRUE(ReadAll(10) == bytes);
  EXPECT_LE(most_taken_, 16 * kMiB + kDigestBlock);
}

TEST_F(ReadBackTest, ReadersAllOverTheFileAreServed) {
  auto const bytes = Upload(10, 40 * kMiB);
  Begin({.window = 16 * kMiB});
  std::vector<std::jthread> readers;
  for (std::uint64_t reader = 1; reader <= 4; ++reader) {
    readers.emplace_back([&, reader] {
      for (std::uint64_t i = 0; i < 15; ++i) {
        auto const at = (reader * 7'654'321 + i * 11'234'567) % bytes.size();
        std::string got(128 * 1024, '\0');
        while (true) {
          int const seen = Arrivals(10);
          auto const count = read_back_->Read(10, at, std::as_writable_bytes(std::span(got)));
          if (count) {
            EXPECT_TRUE(got.substr(0, *count) == bytes.substr(at, *count)) << at;
            break;
          }
          ASSERT_EQ(count.error().code, EAGAIN) << Describe(count.error());
          ASSERT_TRUE(tusfs_testing::WaitFor([&] { return Arrivals(10) != seen; }));
        }
      }
    });
  }
}

TEST_F(ReadBackTest, MoreFilesThanDownloadsAreReadAtOnce) {
  auto const one = Upload(10, 40 * kMiB);
  auto const two = Upload(11, 40 * kMiB);
  Begin({.window = 16 * kMiB, .idle = seconds(60), .downloads = 1});
  for (std::uint64_t at = 0; at < one.size(); at += 5'000'000) {
    EXPECT_TRUE(Read(10, at, 1000).value() == one.substr(at, 1000));
    EXPECT_TRUE(Read(11, at, 1000).value() == two.substr(at, 1000));
  }
}

TEST_F(ReadBackTest, ADownloadThatNobodyWaitsForEnds) {
  auto const bytes = Upload(10, 64 * kMiB);
  Begin({.window = 16 * kMiB, .idle = milliseconds(100)});
  EXPECT_TRUE(Ok(Read(10, 0, 4096)));
  EXPECT_TRUE(tusfs_testing::WaitFor([&] { return Gets() == 1; }));  // it is over
  EXPECT_TRUE(Read(10, 60 * kMiB, 4096).value() == bytes.substr(60 * kMiB, 4096));
}

TEST_F(ReadBackTest, AServerThatIsAwayForAMomentIsWaitedFor) {
  auto const bytes = Upload(10, 8 * kMiB);
  Begin();
  server_->Stop();
  std::jthread const later([&] {
    std::this_thread::sleep_for(milliseconds(500));  // the outage
    server_->Start();
  });
  EXPECT_TRUE(Read(10, 5 * kMiB, 4096).value() == bytes.substr(5 * kMiB, 4096));
}

TEST_F(ReadBackTest, AServerThatStaysAwayIsAnError) {
  Upload(10, 8 * kMiB);
  Begin({.patience = milliseconds(300)});
  server_->Stop();
  auto const got = Read(10, 0, 4096);
  EXPECT_EQ(CodeOf(got), EIO);
  EXPECT_THAT(Describe(got.error()), HasSubstr("could not connect"));
  EXPECT_EQ(CodeOf(Read(10, 0, 4096)), EIO);
  server_->Start();
  EXPECT_TRUE(tusfs_testing::WaitFor([&] { return Read(10, 0, 4096).has_value(); }));
}

TEST_F(ReadBackTest, AnUploadThatTheServerDoesNotKnowIsAnErrorAtOnce) {
  Upload(10, 8 * kMiB);
  Begin();
  server_->AddFault({.method = "GET", .action = Fault::ForgetUpload()});
  auto const got = Read(10, 0, 4096);
  EXPECT_EQ(CodeOf(got), EIO);
  EXPECT_THAT(Describe(got.error()), HasSubstr("404"));
  EXPECT_EQ(Gets(), 1U);
}

TEST_F(ReadBackTest, AServerThatIgnoresRangesWillDo) {
  Serve({.ranges = false});
  auto const bytes = Upload(10, 24 * kMiB);
  Begin({.window = 16 * kMiB});
  EXPECT_TRUE(Read(10, 20 * kMiB, 4096).value() == bytes.substr(20 * kMiB, 4096));
  EXPECT_TRUE(ReadAll(10) == bytes);
}

TEST_F(ReadBackTest, OtherBytesThanWereSentAreNotGivenOut) {
  auto bytes = Upload(10, 9 * kMiB);
  bytes[5 * kMiB] = static_cast<char>(bytes[5 * kMiB] ^ 1);
  auto const id = Record(10).upload;
  auto const upload = store_->Read([&](View const& view) { return FindUpload(view, id); });
  Put(Record(10), upload.value().value(), bytes);
  Begin();
  EXPECT_TRUE(Ok(Read(10, 0, 4096)));
  auto const got = Read(10, 4 * kMiB, 4096);
  EXPECT_EQ(CodeOf(got), EIO);
  EXPECT_THAT(Describe(got.error()), HasSubstr("is not what was sent"));
  EXPECT_TRUE(tusfs_testing::WaitFor([&] { return Read(10, 8 * kMiB, 4096).has_value(); }));
}

TEST_F(ReadBackTest, ADownloadThatIsCutGoesOn) {
  auto const bytes = Upload(10, 20 * kMiB);
  Begin();
  server_->AddFault({.method = "GET", .action = Fault::CutAfter(6 * kMiB)});
  server_->AddFault({.method = "GET", .nth = 2, .action = Fault::CutAfter(3 * kMiB)});
  EXPECT_TRUE(ReadAll(10) == bytes);
  EXPECT_GE(Gets(), 3U);
}

TEST_F(ReadBackTest, AnotherUploadOfTheFileIsReadFromThenOn) {
  Upload(10, 5 * kMiB);
  Begin();
  EXPECT_TRUE(Ok(Read(10, 0, 4096)));
  auto const other = Upload(10, 6 * kMiB);
  EXPECT_TRUE(ReadAll(10) == other);
}

TEST_F(ReadBackTest, StopEndsWhatIsBlocked) {
  Upload(10, 64 * kMiB);
  Upload(11, 64 * kMiB);
  Begin({.window = 16 * kMiB, .idle = seconds(60)});
  EXPECT_TRUE(Ok(Read(10, 0, 4096)));  // its download waits for the reader
  server_->AddFault({.method = "GET", .nth = 0, .action = Fault::StallUntilReleased()});
  std::string out(4096, '\0');
  EXPECT_EQ(CodeOf(read_back_->Read(11, 0, std::as_writable_bytes(std::span(out)))), EAGAIN);
  EXPECT_EQ(CodeOf(read_back_->Restore(11)), EAGAIN);
  EXPECT_TRUE(tusfs_testing::WaitFor([&] { return server_->Stalled() == 2; }));
  auto const began = std::chrono::steady_clock::now();
  read_back_->Stop();
  EXPECT_LT(std::chrono::steady_clock::now() - began, milliseconds(500));
  EXPECT_EQ(CodeOf(read_back_->Read(11, 0, std::as_writable_bytes(std::span(out)))), EAGAIN);
  EXPECT_EQ(CodeOf(read_back_->Restore(11)), EAGAIN);
  EXPECT_EQ(SpoolFiles(), 0U);
}

// ---- bringing a file back

TEST_F(ReadBackTest, AFileIsBroughtBackWhole) {
  auto const bytes = Upload(10, 9 * kMiB + 5);
  Begin();
  server_->AddFault({.method = "GET", .action = Fault::CutAfter(5 * kMiB)});
  ASSERT_TRUE(Ok(Restore(10)));
  auto const inode = Record(10);
  ASSERT_NE(inode.version, 0U);
  EXPECT_EQ(inode.synced_size, bytes.size());
  EXPECT_GT(inode.kept_at, 0);
  auto const version = spool_->Find(inode.version, inode.size).value();
  std::string got(bytes.size(), '\0');
  EXPECT_EQ(version->Read(0, std::as_writable_bytes(std::span(got))).value(), got.size());
  EXPECT_TRUE(got == bytes);
  EXPECT_TRUE(version->WasSent({0, 1}));
}

TEST_F(ReadBackTest, AFileThatWasChangedMeanwhileIsLeftAlone) {
  Upload(10, 9 * kMiB);
  Begin();
  server_->AddFault({.method = "GET", .action = Fault::StallUntilReleased()});
  std::jthread const meanwhile([&] {
    EXPECT_TRUE(tusfs_testing::WaitFor([&] { return server_->Stalled() == 1; }));
    Change(10, [](Inode& inode) { inode.upload = {}; });
    server_->ReleaseStalled();
  });
  EXPECT_NE(CodeOf(Restore(10)), 0);
  EXPECT_EQ(Record(10).version, 0U);
  EXPECT_TRUE(tusfs_testing::WaitFor([&] { return SpoolFiles() == 0; }));
}

TEST_F(ReadBackTest, WhatTheServerDoesNotKnowCannotBeBroughtBack) {
  Upload(10, 9 * kMiB);
  Begin();
  server_->AddFault({.method = "GET", .action = Fault::ForgetUpload()});
  auto const restored = Restore(10);
  EXPECT_EQ(CodeOf(restored), EIO);
  EXPECT_THAT(Describe(restored.error()), HasSubstr("404"));
  EXPECT_EQ(SpoolFiles(), 0U);
  EXPECT_EQ(CodeOf(read_back_->Restore(10)), EIO) << "told again, not tried again";
}

TEST_F(ReadBackTest, WithoutRoomNothingIsBroughtBack) {
  spool_ = Spool::Open(directory_ / "spool", {.size = 8 * kMiB}).value();
  Upload(10, 9 * kMiB);
  Begin();
  EXPECT_EQ(CodeOf(Restore(10)), ENOSPC);
  EXPECT_EQ(Gets(), 0U);
}

}  // namespace
}  // namespace tusfs
