// May this card be formatted? tusfsctl verify beside real mounts.
#include <sys/stat.h>

#include "mount/mount_test.h"

namespace tusfs_testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

class CardTest : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (!IsSkipped()) StartServer(ServerKind::kFixture);
    std::filesystem::create_directories(card_ / "DCIM");
  }

  void FillCard() {
    Source("card/DCIM/a.mov", 9 * kMiB + 17);
    Source("card/DCIM/b.mov", 100'000);
    Source("card/empty.txt", 0);
  }

  CtlAnswer Verify(MountedTusfs const& mount, Command more = {}) {
    Command command{"verify", "--json", card_, mount.mountpoint()};
    command.insert(command.end(), more.begin(), more.end());
    return TusfsCtl(command);
  }

  void CopyCard(MountedTusfs const& mount) {
    auto const copied = RunProgram({"cp", "-a", (card_ / ".").string(), mount.mountpoint()});
    ASSERT_EQ(copied.code, 0) << copied.err;
  }

  std::filesystem::path const card_ = dir_ / "card";
};

TEST_F(CardTest, IsSafeWhenAllOfItIsOnTheServerAndStaysSoWithoutLocalBytesOrNames) {
  FillCard();
  MountedTusfs mount(server_->Url(), {"--keep", "none"});
  ASSERT_EQ(mount.Mount(), "");
  CopyCard(mount);
  ASSERT_EQ(mount.WaitUploaded(), 0);
  auto const answer = Verify(mount);
  EXPECT_EQ(answer.code, 0) << answer.out << answer.err;
  EXPECT_EQ(answer.json["safe"], true);
  EXPECT_THAT(std::string(answer.json["sentence"]), HasSubstr("SAFE TO FORMAT: 3 of 3 files"));
  std::filesystem::remove_all(mount / "DCIM");
  EXPECT_EQ(Verify(mount).code, 0) << "what was uploaded stays so without its name";
  server_.reset();
  ASSERT_EQ(mount.Unmount(), 0);
  auto const alone = TusfsCtl({"verify", card_, "--state-dir", mount.state_dir()});
  EXPECT_EQ(alone.code, 0) << alone.out << "needs neither a mount nor a network";
}

TEST_F(CardTest, IsNotSafeWhileTheServerDoesNotHaveIt) {
  FillCard();
  MountedTusfs mount(server_->Url(), {"--finish", "*.mov=manual"});
  ASSERT_EQ(mount.Mount(), "");
  CopyCard(mount);
  ASSERT_TRUE(WaitFor([&] { return mount.State("empty.txt") == "uploaded"; }));
  auto const answer = Verify(mount);
  EXPECT_EQ(answer.code, 1);
  EXPECT_EQ(answer.json["counts"]["here, not yet there"]["files"], 2);
  EXPECT_EQ(answer.json["counts"]["on the server"]["files"], 1);
  ASSERT_EQ(TusfsCtl({"publish", mount.mountpoint()}).code, 0);
  ASSERT_EQ(mount.WaitUploaded(), 0);
  EXPECT_EQ(Verify(mount).code, 0);
}

TEST_F(CardTest, IsNotSafeWhenAFileWasChangedAfterItWasUploaded) {
  FillCard();
  MountedTusfs mount(server_->Url());
  ASSERT_EQ(mount.Mount(), "");
  CopyCard(mount);
  ASSERT_EQ(mount.WaitUploaded(), 0);
  auto const file = card_ / "DCIM/a.mov";
  auto bytes = ReadFile(file);
  auto const time = std::filesystem::last_write_time(file);
  bytes[5 * kMiB] = static_cast<char>(bytes[5 * kMiB] ^ 1);
  WriteFile(file, bytes);
  std::filesystem::last_write_time(file, time);
  auto const answer = Verify(mount);
  EXPECT_EQ(answer.code, 1) << "its size and time are the same";
  EXPECT_THAT(answer.out, HasSubstr("other bytes from block 1 on (byte 4194304)"));
}

TEST_F(CardTest, IsNotSafeWhenTheMountHasAnotherFileUnderItsName) {
  FillCard();
  MountedTusfs mount(server_->Url());
  ASSERT_EQ(mount.Mount(), "");
  CopyCard(mount);
  ASSERT_EQ(mount.WaitUploaded(), 0);
  ASSERT_EQ(TusfsCtl({"pause", mount.mountpoint()}).code, 0);
  WriteFile(mount / "DCIM/b.mov", "another one");
  EXPECT_EQ(Verify(mount).json["counts"]["here, not yet there"]["files"], 1);
  ASSERT_EQ(TusfsCtl({"resume", mount.mountpoint()}).code, 0);
  ASSERT_EQ(mount.WaitUploaded(), 0);
  EXPECT_EQ(Verify(mount).json["counts"]["different"]["files"], 1);
}

TEST_F(CardTest, IsSafeAfterTheDaemonWasKilledInTheMiddleOfTheCopy) {
  FillCard();
  MountedTusfs mount(server_->Url());
  ASSERT_EQ(mount.Mount(), "");
  ChildProcess copy;
  copy.Start({"cp", "-a", (card_ / ".").string(), mount.mountpoint()}, dir_ / "out", dir_ / "err");
  ASSERT_NE(mount.KillDaemon(), 0);
  auto const end = copy.Wait(std::chrono::seconds(60));
  ASSERT_TRUE(end);
  EXPECT_EQ(end->code, 0) << ReadFile(dir_ / "err");
  ASSERT_EQ(mount.WaitUploaded(), 0);
  auto const answer = Verify(mount);
  EXPECT_EQ(answer.code, 0) << answer.out;
}

TEST_F(CardTest, TheMountItselfIsNoCard) {
  MountedTusfs mount(server_->Url());
  ASSERT_EQ(mount.Mount(), "");
  auto const answer = TusfsCtl({"verify", mount.mountpoint(), mount.mountpoint()});
  EXPECT_EQ(answer.code, 2);
  EXPECT_THAT(answer.err, HasSubstr("is in the mount itself"));
}

TEST_F(CardTest, AMountWhoseDaemonDoesNotAnswerIsADoubt) {
  FillCard();
  MountedTusfs mount(server_->Url());
  ASSERT_EQ(mount.Mount(), "");
  CopyCard(mount);
  ASSERT_EQ(mount.WaitUploaded(), 0);
  ASSERT_EQ(Verify(mount).code, 0);
  mount.Kill9();
  auto const answer = Verify(mount);
  EXPECT_EQ(answer.code, 1);
  EXPECT_THAT(answer.out, HasSubstr("what was changed in the mount lately is not known"));
}

TEST_F(CardTest, WhatIsLeftOfAMountThatWasKilledIsADoubt) {
  FillCard();
  MountedTusfs mount(server_->Url());
  ASSERT_EQ(mount.Mount(), "");
  CopyCard(mount);
  ASSERT_EQ(mount.WaitUploaded(), 0);
  // What the last moment has done is in the journal alone, which nobody reads before the next
  // mount.
  WriteFile(mount / "DCIM/b.mov", "another one");
  mount.Kill9();
  Command const verify{"verify", "--json", card_, "--state-dir", mount.state_dir()};
  auto const killed = TusfsCtl(verify);
  EXPECT_EQ(killed.code, 1);
  EXPECT_THAT(killed.out, HasSubstr("has not ended in order"));
  ASSERT_EQ(mount.Mount(), "");
  ASSERT_EQ(mount.WaitUploaded(), 0);
  ASSERT_EQ(mount.Unmount(), 0);
  EXPECT_EQ(TusfsCtl(verify).json["counts"]["different"]["files"], 1);
}

TEST_F(CardTest, AReceiptReplacesNoDeviceAndNoPipe) {
  FillCard();
  MountedTusfs mount(server_->Url());
  ASSERT_EQ(mount.Mount(), "");
  auto const pipe = dir_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  auto const answer = Verify(mount, {"--receipt", pipe});
  EXPECT_EQ(answer.code, 2);
  EXPECT_THAT(answer.err, HasSubstr("is no regular file"));
  EXPECT_EQ(TusfsCtl({"metrics", "--file", pipe, mount.mountpoint()}).code, 2);
  EXPECT_TRUE(std::filesystem::is_fifo(pipe));
}

TEST_F(CardTest, BadInputIsNamed) {
  EXPECT_EQ(TusfsCtl({"verify"}).code, 2);
  EXPECT_THAT(TusfsCtl({"verify", "/nowhere"}).err, HasSubstr("'/nowhere'"));
  EXPECT_THAT(TusfsCtl({"verify", card_}).err, HasSubstr("--state-dir"));
  EXPECT_THAT(TusfsCtl({"verify", card_, "--map", "DCIM"}).err, HasSubstr("FROM=TO"));
  EXPECT_EQ(TusfsCtl({"verify", card_, "--jobs", "0"}).code, 2);
}

}  // namespace
}  // namespace tusfs_testing
