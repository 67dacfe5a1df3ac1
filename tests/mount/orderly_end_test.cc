// The orderly end of a mount: umount, SIGTERM, with and without files that are open, and what the
// next mount makes of it, on the same boot and on another one.
#include <signal.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/fakes.h"
#include "catalog/tables.h"
#include "mount/mount_test.h"
#include "mount/open_file.h"

namespace tusfs_testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr int kFiles = 100;

class OrderlyEndMountTest : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (IsSkipped()) return;
    StartServer(ServerKind::kFixture);
    mount_ = std::make_unique<MountedTusfs>(server_->Url());
    ASSERT_EQ(mount_->Mount(), "");
    fs::create_directory(dir_ / "card");
    for (int i = 0; i < kFiles; ++i) {
      WriteFile(dir_ / "card" / std::to_string(i), RandomBytes(static_cast<std::size_t>(i) * 100));
    }
  }

  /// Whatever ran before ran in another boot.
  void Reboot() {
    auto store = tusfs::Store::Open(mount_->state_dir() / "catalog", {}, tusfs::QuietLogger());
    ASSERT_TRUE(tusfs::Ok(store));
    auto const noted = (*store)->Update([](tusfs::Transaction& transaction) -> tusfs::Result<void> {
      tusfs::PutNote(transaction, "boot", "another boot");
      return {};
    });
    ASSERT_TRUE(tusfs::Ok(noted));
    ASSERT_TRUE(tusfs::Ok((*store)->Sync()));
  }

  void CopyCard() { EXPECT_EQ(RunProgram({"cp", "-r", dir_ / "card", *mount_ / "card"}).code, 0); }

  void ExpectWholeCard() {
    ASSERT_EQ(mount_->Mount(), "");
    EXPECT_EQ(mount_->WaitUploaded(), 0);
    EXPECT_EQ(mount_->Status()["files"].value("uploaded", 0), kFiles);
    for (int i = 0; i < kFiles; ++i) {
      auto const name = "card/" + std::to_string(i);
      ExpectArrived(name, dir_ / name);
    }
  }

  /// A shell that has given its descriptor to a program which has ended, and is not done with it.
  void BeginHalfAFile() {
    WriteFile(dir_ / "part", "the first half");
    shell_.Start({"sh", "-c", "(cat \"$1\"; echo done >\"$2\"; exec sleep 600) >\"$3\"", "sh",
                  dir_ / "part", dir_ / "marker", *mount_ / "file"},
                 dir_ / "sh.out", dir_ / "sh.err");
    ASSERT_TRUE(WaitFor([&] { return fs::exists(dir_ / "marker"); }));
  }

  void ExpectHalfAFileIsHeld() {
    shell_.Signal(SIGKILL);
    ASSERT_EQ(mount_->Mount(), "");
    SendMarker(*mount_, "marker");
    EXPECT_EQ(mount_->State("file"), "interrupted") << mount_->Listed("file");
    EXPECT_EQ(server_->Published("file"), 0);
    EXPECT_EQ(ReadFile(*mount_ / "file"), "the first half");
  }

  std::unique_ptr<MountedTusfs> mount_;
  ChildProcess shell_;
};

TEST_F(OrderlyEndMountTest, UmountRightAfterACopyLosesNothingThoughTheMachineBootsThen) {
  CopyCard();
  ASSERT_EQ(mount_->Unmount(), 0);
  Reboot();
  ExpectWholeCard();
}

TEST_F(OrderlyEndMountTest, AStoppedServiceLosesNothingThoughTheMachineBootsThen) {
  CopyCard();
  ASSERT_EQ(::kill(mount_->pid(), SIGTERM), 0);
  ASSERT_EQ(mount_->WaitForEnd(), 0);
  EXPECT_FALSE(IsMounted(mount_->mountpoint()));
  Reboot();
  ExpectWholeCard();
}

TEST_F(OrderlyEndMountTest, WhatWasClosedIsWholeThoughTheMountWasBusyWhenItWasStopped) {
  WriteFile(*mount_ / "card.txt", "read");
  ASSERT_EQ(mount_->WaitUploaded(), 0);
  ChildProcess reader;
  reader.Start({"sh", "-c", "exec sleep 600 <\"$1\"", "sh", *mount_ / "card.txt"}, dir_ / "out",
               dir_ / "err");
  CopyCard();
  fs::remove(*mount_ / "card.txt");
  ASSERT_EQ(::kill(mount_->pid(), SIGTERM), 0);
  ASSERT_EQ(mount_->WaitForEnd(), 0);
  Reboot();
  ExpectWholeCard();
}

TEST_F(OrderlyEndMountTest, FilesThatWaitForAnybodysWordWaitOnAfterABoot) {
  WriteFile(*mount_ / "clip.part", "all of it");
  ASSERT_EQ(mount_->Unmount(), 0);
  Reboot();
  ASSERT_EQ(mount_->Mount(), "");
  EXPECT_EQ(mount_->State("clip.part"), "settling");
  EXPECT_EQ(ReadFile(*mount_ / "clip.part"), "all of it");
  EXPECT_EQ(TusfsCtl({"publish", *mount_ / "clip.part"}).code, 0);
  EXPECT_EQ(mount_->WaitUploaded(), 0);
}

TEST_F(OrderlyEndMountTest, HalfAFileThatIsOpenWhenTheMountIsStoppedIsNotPublished) {
  BeginHalfAFile();
  ASSERT_EQ(::kill(mount_->pid(), SIGTERM), 0);
  ASSERT_EQ(mount_->WaitForEnd(), 0);
  ExpectHalfAFileIsHeld();
}

TEST_F(OrderlyEndMountTest, HalfAFileThatIsOpenWhenEitherProcessIsToldToEndIsNotPublished) {
  BeginHalfAFile();
  ASSERT_EQ(::kill(mount_->DaemonPid(), SIGTERM), 0);
  ASSERT_EQ(mount_->WaitForEnd(), 0);
  ExpectHalfAFileIsHeld();
}

TEST_F(OrderlyEndMountTest, HalfAFileThatIsOpenWhenTheConnectionIsCutIsNotPublished) {
  if (::geteuid() != 0) GTEST_SKIP() << "SKIPPED: only root may cut a connection so";
  BeginHalfAFile();
  EXPECT_NE(::umount2(mount_->mountpoint().c_str(), MNT_FORCE), 0) << "it is busy";
  ASSERT_EQ(mount_->WaitForEnd(), 0);
  ExpectHalfAFileIsHeld();
}

TEST_F(OrderlyEndMountTest, HalfAFileThatIsOpenWhenEverythingIsKilledIsNotPublished) {
  BeginHalfAFile();
  mount_->Kill9();
  ExpectHalfAFileIsHeld();
}

TEST_F(OrderlyEndMountTest, WhatAPowerCutLeavesIsShownAndPublishedOnlyByChoice) {
  OpenFile file(*mount_ / "file");
  file.Write("known to be whole");
  ASSERT_EQ(RunProgram({"sync", "--data", *mount_ / "file"}).code, 0);
  file.Write(", and perhaps not");
  mount_->Kill9();
  (void)file.Close();
  Reboot();
  ASSERT_EQ(mount_->Mount(), "");
  auto const listed = mount_->Listed("file");
  EXPECT_EQ(listed.value("state", ""), "interrupted") << listed;
  EXPECT_EQ(listed.value("size", 0), 17) << listed;
  EXPECT_EQ(listed.value("held", 0), 17) << listed;
  EXPECT_EQ(mount_->Status()["bytes"].value("remaining", 0), 34);
  EXPECT_EQ(TusfsCtl({"status", mount_->mountpoint()}).out.find("100%"), std::string::npos);

  auto const refused = TusfsCtl({"publish", *mount_ / "file"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("--rest take"));
  EXPECT_EQ(TusfsCtl({"publish", "--rest", "both", *mount_ / "file"}).code, 2);
  EXPECT_EQ(TusfsCtl({"publish", "--rest", "take", *mount_ / "file"}).code, 0);
  EXPECT_EQ(mount_->WaitUploaded(), 0);
  EXPECT_EQ(ReadFile(server_->File(*server_->Find("file"))), "known to be whole, and perhaps not");
}

}  // namespace
}  // namespace tusfs_testing
