// SIGKILL to the daemon at any moment: what was written is there, what was finished arrives, once.
#include <gmock/gmock.h>

#include "mount/kill_table.h"
#include "mount/mount_test.h"
#include "mount/open_file.h"

namespace tusfs_testing {
namespace {

constexpr std::uint64_t kChunk = 4 * kMiB;
constexpr std::uint64_t kHeaders = 64 * 1024;  // the proxy counts request headers too

class KillTest : public EveryServerTest {};

TEST_P(KillTest, ACopyCutShortIsInterruptedWithItsBytesAndNotPublished) {
  struct Moment {
    std::string name;
    std::uint64_t written;
  };
  std::vector<Moment> const moments{{"copy: created, nothing written", 0},
                                    {"copy: 100 KiB written", 100 * 1024},
                                    {"copy: one chunk and 1 byte written", kChunk + 1},
                                    {"copy: half written", 12 * kMiB},
                                    {"copy: all written, not closed", 24 * kMiB}};
  StartServer();
  MountedTusfs mount(server_->Url(), {"--chunk-size", "4MiB"});
  ASSERT_EQ(mount.Mount(), "");
  for (std::size_t i = 0; i < moments.size(); ++i) {
    SCOPED_TRACE(moments[i].name);
    auto const name = "cut-" + std::to_string(i);
    auto const bytes = RandomBytes(moments[i].written, i + 1);
    std::uint64_t const sent_before = server_->SentBytes();
    {
      OpenFile file(mount / name);
      file.Write(bytes);
      mount.Kill9();
    }
    ASSERT_EQ(mount.Mount(), "");
    SendMarker(mount, "after-" + std::to_string(i));

    EXPECT_EQ(mount.State(name), "interrupted");
    bool const equal = ReadFile(mount / name) == bytes;
    EXPECT_TRUE(equal) << "the bytes are others";
    EXPECT_EQ(server_->Published(name), 0);
    EXPECT_EQ(mount.WaitUploaded(), 1) << "wait says that something will not finish by itself";
    EXPECT_LE(server_->SentBytes() - sent_before, moments[i].written + kChunk + kHeaders);
    AddToKillTable(Name(GetParam()), moments[i].name, moments[i].written,
                   server_->SentBytes() - sent_before, equal, mount.State(name));
  }

  auto const source = Source("source", 24 * kMiB);
  for (std::size_t i = 0; i < moments.size(); ++i)
    Copy(source, mount / ("cut-" + std::to_string(i)));
  EXPECT_EQ(mount.WaitUploaded(), 0) << "written again, they are finished";
  for (std::size_t i = 0; i < moments.size(); ++i) {
    ExpectArrived("cut-" + std::to_string(i), source);
  }
}

TEST_P(KillTest, AnUploadCutShortCompletesByItselfWithoutSendingAgain) {
  struct Moment {
    std::string name;
    std::uint64_t on_server;  // at least, when the daemon is killed
  };
  constexpr std::uint64_t kSize = 24 * kMiB;
  std::vector<Moment> const moments{{"upload: the copy has just ended", 0},
                                    {"upload: 10 % on the server", kSize / 10},
                                    {"upload: 50 % on the server", kSize / 2},
                                    {"upload: 90 % on the server", kSize / 10 * 9},
                                    {"upload: complete on the server", kSize}};
  StartServer(20'000'000);
  MountedTusfs mount(server_->Url(), {"--chunk-size", "4MiB"});
  ASSERT_EQ(mount.Mount(), "");
  for (std::size_t i = 0; i < moments.size(); ++i) {
    SCOPED_TRACE(moments[i].name);
    auto const name = "file-" + std::to_string(i);
    auto const source = Source(name, kSize);
    std::uint64_t const sent_before = server_->SentBytes();
    Copy(source, mount / name);
    ASSERT_TRUE(WaitFor([&] {
      auto const upload = server_->Find(name);
      return moments[i].on_server == 0 || (upload && upload->offset >= moments[i].on_server);
    }));
    mount.Kill9();
    ASSERT_EQ(mount.Mount(), "");
    ASSERT_EQ(mount.WaitUploaded(), 0) << mount.Listed(name);

    auto const upload = server_->Find(name);
    ASSERT_TRUE(upload);
    std::uint64_t const sent = server_->SentBytes() - sent_before;
    bool const equal = Sha256OfFile(server_->File(*upload)) == Sha256OfFile(source);
    EXPECT_TRUE(equal);
    EXPECT_EQ(server_->Published(name), 1);
    EXPECT_LE(sent, kSize + kChunk + kHeaders);
    AddToKillTable(Name(GetParam()), moments[i].name, kSize, sent, equal, mount.State(name));
  }
}

TUSFS_FOR_EVERY_SERVER(KillTest);

class KillWithFaultsTest : public MountTest {};

TEST_F(KillWithFaultsTest, KilledBeforeTheAnswerToTheCreationNothingIsPublishedTwice) {
  StartServer(ServerKind::kFixture);
  server_->fixture()->AddFault({.method = "POST", .action = Fault::StallUntilReleased()});
  MountedTusfs mount(server_->Url());
  ASSERT_EQ(mount.Mount(), "");
  auto const source = Source("source", kMiB);
  Copy(source, mount / "file");
  ASSERT_TRUE(WaitFor([&] { return server_->fixture()->Stalled() == 1; }));
  mount.Kill9();
  server_->fixture()->ReleaseStalled();
  ASSERT_EQ(mount.Mount(), "");
  ASSERT_EQ(mount.WaitUploaded(), 0);

  EXPECT_EQ(server_->Published("file"), 1);
  ExpectArrived("file", source);
}

TEST_F(KillWithFaultsTest, KilledBeforeTheAnswerToTheFinalPatchItIsPublishedOnce) {
  StartServer(ServerKind::kFixture);
  constexpr std::uint64_t kSize = kMiB;
  // Complete on the server, unknown to us.
  server_->fixture()->AddFault({.method = "PATCH", .nth = 0, .action = Fault::LoseAnswer()});
  MountedTusfs mount(server_->Url());
  ASSERT_EQ(mount.Mount(), "");
  auto const source = Source("source", kSize);
  Copy(source, mount / "file");
  ASSERT_TRUE(WaitFor([&] { return server_->Published("file") == 1; }));
  mount.Kill9();
  server_->fixture()->ClearFaults();
  ASSERT_EQ(mount.Mount(), "");
  ASSERT_EQ(mount.WaitUploaded(), 0);

  ExpectArrived("file", source);
  EXPECT_EQ(server_->fixture()->Stats().published, 1);
  EXPECT_LE(server_->SentBytes(), kSize) << "bytes that the server had were sent again";
}

TEST_F(KillWithFaultsTest, ManyKillsInARowLoseNothing) {
  StartServer(ServerKind::kFixture, 16'000'000);
  MountedTusfs mount(server_->Url(), {"--chunk-size", "1MiB"});
  ASSERT_EQ(mount.Mount(), "");
  auto const source = Source("source", 16 * kMiB);
  Copy(source, mount / "file");
  constexpr std::uint64_t kKills = 8;
  for (std::uint64_t kill = 1; kill <= kKills; ++kill) {
    ASSERT_TRUE(WaitFor([&] {
      auto const upload = server_->Find("file");
      return upload && upload->offset >= kill * 16 * kMiB / (kKills + 1);
    }));
    mount.Kill9();
    ASSERT_EQ(mount.Mount(), "");
  }
  ASSERT_EQ(mount.WaitUploaded(), 0);

  ExpectArrived("file", source);
  EXPECT_LE(server_->SentBytes(), 16 * kMiB + kKills * kMiB);
}

}  // namespace
}  // namespace tusfs_testing
