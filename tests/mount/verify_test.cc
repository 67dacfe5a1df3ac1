// --verify: a file counts as uploaded when the server has been seen to have what was sent.
#include "mount/mount_test.h"

namespace tusfs_testing {
namespace {

using ::testing::HasSubstr;

class VerifyTest : public EveryServerTest {};

TEST_P(VerifyTest, WhatIsReadBackIsRightOnEveryServer) {
  StartServer();
  MountedTusfs mount(server_->Url(), {"--verify", "download", "--chunk-size", "1MiB"});
  ASSERT_EQ(mount.Mount(), "");
  auto const source = Source("source", 9 * kMiB + 17);
  Copy(source, mount / "file");
  WriteFile(mount / "empty", "");
  EXPECT_EQ(mount.WaitUploaded(), 0);
  ExpectArrived("file", source);
  EXPECT_EQ(mount.State("empty"), "uploaded");
}

TUSFS_FOR_EVERY_SERVER(VerifyTest);

using VerifyTamperedTest = MountTest;

TEST_F(VerifyTamperedTest, WhatTheServerHasWrongIsSaidAndSentAgain) {
  StartServer(ServerKind::kFixture);
  MountedTusfs mount(server_->Url(), {"--verify", "download"});
  ASSERT_EQ(mount.Mount(), "");
  auto const source = Source("source", 100'000);
  auto wrong = ReadFile(source);
  wrong[70'000] ^= 1;
  server_->fixture()->AddFault({.method = "GET", .action = Fault::Answer(200, wrong)});
  Copy(source, mount / "file");
  EXPECT_EQ(mount.WaitUploaded(), 0);
  auto const upload = server_->Find("file");
  ASSERT_TRUE(upload && upload->complete);
  EXPECT_EQ(Sha256OfFile(server_->File(*upload)), Sha256OfFile(source));
  EXPECT_EQ(server_->Published("file"), 2) << "the wrong one belongs to the ingest";
  EXPECT_THAT(mount.Log(), HasSubstr("the server does not have what was sent"));
}

TEST_F(VerifyTamperedTest, ItsBytesStayHereUntilThen) {
  StartServer(ServerKind::kFixture);
  MountedTusfs mount(server_->Url(), {"--verify", "download", "--keep", "none"});
  ASSERT_EQ(mount.Mount(), "");
  server_->fixture()->AddFault({.method = "GET", .nth = 0, .action = Fault::StallUntilReleased()});
  auto const source = Source("source", 100'000);
  Copy(source, mount / "file");
  ASSERT_TRUE(WaitFor([&] { return server_->fixture()->Stalled() == 1; }));
  EXPECT_EQ(server_->Published("file"), 1);
  EXPECT_EQ(mount.State("file"), "uploading");
  EXPECT_EQ(ReadFile(mount / "file"), ReadFile(source));
  server_->fixture()->ClearFaults();
  server_->fixture()->ReleaseStalled();
  EXPECT_EQ(mount.WaitUploaded(), 0);
  EXPECT_TRUE(WaitFor([&] { return mount.Status()["spool"]["used"] == 0; })) << mount.Status();
}

}  // namespace
}  // namespace tusfs_testing
