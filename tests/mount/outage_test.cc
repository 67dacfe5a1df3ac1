// The server goes away, is not there yet, or is not a tus server: writers do not notice, bytes go
// later.
#include "mount/mount_test.h"
#include "mount/open_file.h"

namespace tusfs_testing {
namespace {

using ::testing::HasSubstr;

bool Reachable(MountedTusfs const& mount) {
  auto const status = mount.Status();
  return status.is_object() && status["server"].value("reachable", false);
}

std::string ServerError(MountedTusfs const& mount) {
  auto const status = mount.Status();
  if (!status.is_object() || !status["server"]["error"].is_string()) return "";
  return status["server"]["error"];
}

class ServerKilledTest : public EveryServerTest {};

TEST_P(ServerKilledTest, AnUploadGoesOnWhenTheServerIsBack) {
  constexpr std::uint64_t kSize = 24 * kMiB;
  constexpr std::uint64_t kChunk = 4 * kMiB;
  StartServer(20'000'000);
  MountedTusfs mount(server_->Url(), {"--chunk-size", "4MiB"});
  ASSERT_EQ(mount.Mount(), "");
  auto const source = Source("source", kSize);
  Copy(source, mount / "file");
  ASSERT_TRUE(WaitFor([&] {
    auto const upload = server_->Find("file");
    return upload && upload->offset >= kSize / 3;
  }));

  server_->Kill();
  EXPECT_TRUE(WaitFor([&] { return !Reachable(mount); })) << mount.Status();
  EXPECT_NE(ServerError(mount), "");
  WriteFile(mount / "meanwhile", "written while the server was away");
  server_->Restart();
  ASSERT_EQ(mount.WaitUploaded(), 0);

  ExpectArrived("file", source);
  EXPECT_EQ(server_->Published("meanwhile"), 1);
  EXPECT_LE(server_->SentBytes(), kSize + kChunk + 256 * 1024);
  EXPECT_TRUE(Reachable(mount));
}

TUSFS_FOR_EVERY_SERVER(ServerKilledTest);

class OutageTest : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (!IsSkipped()) StartServer(ServerKind::kFixture);
  }
};

TEST_F(OutageTest, AMountComesUpWithoutAServerAndUploadsWhenItAppears) {
  server_->Kill();
  MountedTusfs mount(server_->Url());
  ASSERT_EQ(mount.Mount(), "");
  auto const source = Source("source", 8 * kMiB);
  Copy(source, mount / "file");
  EXPECT_TRUE(WaitFor([&] { return ServerError(mount) != ""; })) << mount.Status();
  EXPECT_FALSE(Reachable(mount));
  EXPECT_TRUE(WaitFor([&] { return mount.Log() != ""; })) << "stderr says nothing";
  EXPECT_EQ(TusfsCtl({"wait", "--timeout", "1", mount.mountpoint()}).code, 3);

  server_->Restart();
  ASSERT_EQ(mount.WaitUploaded(), 0);
  ExpectArrived("file", source);
}

TEST_F(OutageTest, ALoginPageInsteadOfTheServerFailsNoFile) {
  server_->fixture()->AddFault({.nth = 0, .action = Fault::AnswerWithoutTusResumable()});
  MountedTusfs mount(server_->Url());
  ASSERT_EQ(mount.Mount(), "");
  auto const source = Source("source", 8 * kMiB);
  Copy(source, mount / "file");
  EXPECT_TRUE(WaitFor([&] { return ServerError(mount) != ""; })) << mount.Status();
  EXPECT_FALSE(Reachable(mount));
  EXPECT_THAT(ServerError(mount), HasSubstr("tus"));
  EXPECT_TRUE(WaitFor([&] { return mount.Log() != ""; })) << "stderr says nothing";
  EXPECT_EQ(TusfsCtl({"wait", "--timeout", "1", mount.mountpoint()}).code, 3);
  EXPECT_NE(mount.State("file"), "failed");

  server_->fixture()->ClearFaults();
  ASSERT_EQ(mount.WaitUploaded(), 0);
  ExpectArrived("file", source);
}

TEST_F(OutageTest, ALoginPageInTheMiddleOfAnUploadFailsNoFile) {
  MountedTusfs mount(server_->Url(), {"--chunk-size", "1MiB"});
  ASSERT_EQ(mount.Mount(), "");
  for (int nth = 3; nth < 6; ++nth) {
    server_->fixture()->AddFault(
        {.method = "PATCH",
         .nth = nth,
         .action = Fault::AnswerWithoutTusResumable(302, "", {{"Location", "http://192.0.2.1/"}})});
  }
  auto const source = Source("source", 16 * kMiB);
  Copy(source, mount / "file");
  ASSERT_EQ(mount.WaitUploaded(), 0);
  ExpectArrived("file", source);
}

TEST_F(OutageTest, AServerWithoutDeferredLengthGetsTheFileWhenItIsFinished) {
  FixtureServer const server(
      {.storage = Storage::kDirectory, .directory = dir_ / "plain", .defer_length = false});
  MountedTusfs mount(server.Url());
  ASSERT_EQ(mount.Mount(), "");
  auto const bytes = RandomBytes(40 * kMiB);
  OpenFile file(mount / "file");
  file.Write(bytes);
  WriteFile(mount / "empty", "");
  WriteFile(mount / "other", "closed before the large one");
  ASSERT_TRUE(WaitFor([&] { return server.Stats().published == 2; }));
  EXPECT_FALSE(server.FindUpload("file")) << "created although its length is not known";
  EXPECT_EQ(file.Close(), 0);
  ASSERT_EQ(mount.WaitUploaded(), 0);

  auto const upload = server.FindUpload("file");
  ASSERT_TRUE(upload);
  EXPECT_TRUE(upload->complete);
  EXPECT_EQ(Sha256OfFile(dir_ / "plain" / upload->id), Sha256(bytes));
  EXPECT_EQ(server.Stats().published, 3);
}

TEST_F(OutageTest, TheServerSeesOneRequestAnUploadAtATime) {
  MountedTusfs mount(server_->Url(), {"--chunk-size", "1MiB", "--transfers", "4"});
  ASSERT_EQ(mount.Mount(), "");
  auto const source = Source("source", 12 * kMiB);
  for (int i = 0; i < 8; ++i) Copy(source, mount / ("file-" + std::to_string(i)));
  ASSERT_EQ(mount.WaitUploaded(), 0);

  auto const stats = server_->fixture()->Stats();
  EXPECT_EQ(stats.published, 8);
  EXPECT_EQ(stats.overlapping_patches, 0);
  EXPECT_EQ(stats.heads_during_patch, 0);
  EXPECT_EQ(stats.received_bytes, 8 * 12 * kMiB) << "without a fault nothing is sent twice";
}

}  // namespace
}  // namespace tusfs_testing
