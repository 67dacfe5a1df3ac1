// The life of a mount and of those who write into it: background, umount, killed writers, wait.
#include <signal.h>
#include <sys/stat.h>

#include "mount/mount_test.h"
#include "mount/open_file.h"

namespace tusfs_testing {
namespace {

using ::testing::HasSubstr;

class LifeTest : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (!IsSkipped()) StartServer(ServerKind::kFixture);
  }
};

TEST_F(LifeTest, InTheBackgroundItReturnsOnceTheMountIsLive) {
  MountedTusfs mount(server_->Url());
  auto const started = RunProgram({TusfsProgram(), server_->Url(), mount.mountpoint(),
                                   "--state-dir", mount.state_dir(), "--settle", "0.2"});
  ASSERT_EQ(started.code, 0) << started.err;
  EXPECT_TRUE(IsMounted(mount.mountpoint()));
  auto const status = mount.Status();
  ASSERT_TRUE(status.is_object());
  EXPECT_EQ(status["mount"], mount.mountpoint().string());
  EXPECT_EQ(status["url"], server_->Url());
  auto const daemon = status.value("daemon_pid", 0);
  ASSERT_GT(daemon, 0);
  WriteFile(mount / "file", "hello");
  EXPECT_EQ(mount.WaitUploaded(), 0);

  EXPECT_TRUE(WaitFor([&] { return mount.UmountOnly(); }));
  EXPECT_TRUE(WaitFor([&] { return HasEnded(daemon); })) << "the daemon is still there";
}

TEST_F(LifeTest, StatusAndListHaveTheFieldsThatScriptsDependOn) {
  MountedTusfs mount(server_->Url());
  ASSERT_EQ(mount.Mount(), "");
  WriteFile(mount / "file", "hello");
  ASSERT_EQ(mount.WaitUploaded(), 0);

  auto const status = mount.Status();
  for (auto const* key : {"mount", "url", "daemon_pid", "keeper_pid"}) {
    EXPECT_TRUE(status.contains(key)) << key;
  }
  for (auto const* key : {"reachable", "since", "error"}) {
    EXPECT_TRUE(status["server"].contains(key)) << key;
  }
  for (auto const* key : {"accepted", "confirmed", "remaining", "sent", "resent"}) {
    EXPECT_TRUE(status["bytes"].contains(key)) << key;
  }
  for (auto const* key : {"used", "limit"}) EXPECT_TRUE(status["spool"].contains(key)) << key;
  EXPECT_EQ(status["files"].value("uploaded", 0), 1);
  EXPECT_EQ(status["bytes"]["confirmed"], 5);
  EXPECT_EQ(status["bytes"]["remaining"], 0);
  auto const file = mount.Listed("file");
  EXPECT_EQ(file.value("state", ""), "uploaded");
  EXPECT_EQ(file.value("size", 0), 5);
  EXPECT_EQ(file.value("offset", 0), 5);
  EXPECT_TRUE(file.contains("error"));
}

TEST_F(LifeTest, UmountWaitsForNoNetworkAndTheNextMountGoesOn) {
  server_->fixture()->AddFault(
      {.method = "PATCH", .nth = 0, .action = Fault::StallUntilReleased(1000)});
  MountedTusfs mount(server_->Url());
  ASSERT_EQ(mount.Mount(), "");
  auto const source = Source("source", 2 * kMiB);
  Copy(source, mount / "file");
  ASSERT_TRUE(WaitFor([&] { return server_->fixture()->Stalled() > 0; }));

  EXPECT_EQ(mount.Unmount(), 0);
  EXPECT_EQ(server_->Published("file"), 0);
  server_->fixture()->ClearFaults();
  server_->fixture()->ReleaseStalled();
  ASSERT_EQ(mount.Mount(), "");
  ASSERT_EQ(mount.WaitUploaded(), 0);
  ExpectArrived("file", source);
}

TEST_F(LifeTest, UmountIsRefusedWhileAFileIsOpenAndNothingIsLost) {
  MountedTusfs mount(server_->Url());
  ASSERT_EQ(mount.Mount(), "");
  OpenFile file(mount / "file");
  file.Write("before ");
  EXPECT_FALSE(mount.UmountOnly());
  file.Write("after");
  EXPECT_EQ(file.Close(), 0);
  ASSERT_EQ(mount.WaitUploaded(), 0);
  EXPECT_EQ(ReadFile(server_->File(*server_->Find("file"))), "before after");
}

TEST_F(LifeTest, AFileOpenWhenTheConnectionEndsIsInterrupted) {
  MountedTusfs mount(server_->Url());
  ASSERT_EQ(mount.Mount(), "");
  OpenFile file(mount / "file");
  file.Write("half of it");
  ASSERT_EQ(RunProgram({"umount", "--lazy", mount.mountpoint()}).code, 0);
  mount.Kill9();
  EXPECT_NE(file.Close(), 0) << "a flush that nobody answers";
  ASSERT_EQ(mount.Mount(), "");
  SendMarker(mount, "marker");
  EXPECT_EQ(mount.State("file"), "interrupted");
  EXPECT_EQ(server_->Published("file"), 0);
}

TEST_F(LifeTest, UnmountAndMountAgainKeepsTheTree) {
  MountedTusfs mount(server_->Url());
  ASSERT_EQ(mount.Mount(), "");
  std::filesystem::create_directories(mount / "a/b");
  WriteFile(mount / "a/b/file", "hello");
  std::filesystem::create_symlink("file", mount / "a/b/link");
  ASSERT_EQ(mount.WaitUploaded(), 0);
  EXPECT_EQ(mount.Unmount(), 0);
  ASSERT_EQ(mount.Mount(), "");
  EXPECT_EQ(ReadFile(mount / "a/b/link"), "hello");
  EXPECT_EQ(mount.WaitUploaded(), 0);
  EXPECT_EQ(server_->Published("a/b/file"), 1);
  EXPECT_EQ(server_->SentBytes(), 5U);
}

TEST_F(LifeTest, ACpKilledInTheMiddleLeavesTheFileInterrupted) {
  MountedTusfs mount(server_->Url());
  ASSERT_EQ(mount.Mount(), "");
  for (int const signal : {SIGKILL, SIGTERM}) {
    SCOPED_TRACE(signal);
    auto const name = "file-" + std::to_string(signal);
    auto const fifo = dir_ / ("fifo-" + std::to_string(signal));
    ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    ChildProcess cp;
    cp.Start({"cp", fifo, mount / name}, dir_ / "cp.out", dir_ / "cp.err");
    OpenFile source(fifo);
    source.Write(RandomBytes(5 * kMiB));
    ASSERT_TRUE(WaitFor([&] {
      std::error_code missing;
      return std::filesystem::file_size(mount / name, missing) == 5 * kMiB;
    }));
    cp.Signal(signal);
    ASSERT_TRUE(cp.Wait(std::chrono::seconds(10)));
    EXPECT_TRUE(WaitFor([&] { return mount.State(name) == "interrupted"; })) << mount.Listed(name);
    SendMarker(mount, "marker-" + std::to_string(signal));
    EXPECT_EQ(mount.State(name), "interrupted");
    EXPECT_EQ(server_->Published(name), 0);
    EXPECT_EQ(std::filesystem::file_size(mount / name), 5 * kMiB);
  }
}

TEST_F(LifeTest, WaitTellsByItsExitCodeWhatHappened) {
  MountedTusfs mount(server_->Url());
  ASSERT_EQ(mount.Mount(), "");
  EXPECT_EQ(TusfsCtl({"wait", mount.mountpoint()}).code, 0) << "nothing to wait for";
  WriteFile(mount / "file", "hello");
  EXPECT_EQ(TusfsCtl({"wait", mount / "file"}).code, 0) << "of one file";
  EXPECT_EQ(TusfsCtl({"wait"}).code, 0) << "of the only mount there is";

  EXPECT_EQ(TusfsCtl({"wait", dir_.path()}).code, 2) << "no mount there";
  EXPECT_EQ(TusfsCtl({"wait", "--timeout", "soon", mount.mountpoint()}).code, 2) << "usage";
  EXPECT_EQ(TusfsCtl({"nonsense"}).code, 2) << "usage";

  server_->Kill();
  WriteFile(mount / "later", "hello");
  EXPECT_EQ(TusfsCtl({"wait", "--timeout", "0.5", mount.mountpoint()}).code, 3);
  EXPECT_EQ(TusfsCtl({"wait", "--timeout", "5", mount / "file"}).code, 0)
      << "the other has arrived";
  server_->Restart();
  EXPECT_EQ(mount.WaitUploaded(), 0);

  OpenFile file(mount / "cut");
  file.Write("half of it");
  mount.Kill9();
  (void)file.Close();
  ASSERT_EQ(mount.Mount(), "");
  auto const interrupted = TusfsCtl({"wait", "--timeout", "20", mount.mountpoint()});
  EXPECT_EQ(interrupted.code, 1);
  EXPECT_THAT(interrupted.out + interrupted.err, HasSubstr("cut"));
  EXPECT_THAT(interrupted.out + interrupted.err, HasSubstr("interrupted"));
}

TEST_F(LifeTest, AFileThatIsWrittenIsWaitedFor) {
  MountedTusfs mount(server_->Url());
  ASSERT_EQ(mount.Mount(), "");
  OpenFile file(mount / "file");
  file.Write("hello");
  EXPECT_EQ(TusfsCtl({"wait", "--timeout", "0.5", mount.mountpoint()}).code, 3);
  EXPECT_EQ(file.Close(), 0);
  EXPECT_EQ(mount.WaitUploaded(), 0);
}

}  // namespace
}  // namespace tusfs_testing
