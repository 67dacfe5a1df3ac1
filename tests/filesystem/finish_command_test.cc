// FinishCommand: a program says whether a file is complete, and of which bytes it said so.
#include "filesystem/finish_command.h"

#include <gmock/gmock.h>

#include <atomic>

#include "testing/wait_for.h"
#include "uploader/file_rig.h"

namespace tusfs {
namespace {

using testing::HasSubstr;
using tusfs_testing::ReadFile;
using tusfs_testing::WaitFor;
using tusfs_testing::WriteFile;

class FinishCommandTest : public FileRig {
 protected:
  FinishCommandTest() {
    rules_.finish.push_back({Glob::Parse("*").value(), FinishBy::kCommand});
    rules_.mount = "/mnt/ingest";
    Append(1000);
    Close();
  }
  ~FinishCommandTest() override { command_.reset(); }

  void Close() {
    ChangeInode([this](Inode& inode) {
      inode.content = Content::kSettling;
      inode.size = body_.size();
    });
  }

  // `script` of a shell; the file's path is $1.
  void Start(std::string const& script) {
    rules_.finish_command = {"sh", "-c", script, "sh"};
    command_ = std::make_unique<FinishCommand>(
        *store_, *spool_, rules_, system_clock_, [this](InodeId) { ++settled_; },
        FinishCommandOptions{.timeout = std::chrono::seconds(60),
                             .first_pause = std::chrono::milliseconds(10),
                             .longest_pause = std::chrono::milliseconds(20)},
        logger_);
    command_->Start();
  }

  std::string Path(std::string const& name) { return (dir_ / name).string(); }

  SystemClock const system_clock_;
  std::atomic<int> settled_ = 0;
  std::unique_ptr<FinishCommand> command_;
};

TEST_F(FinishCommandTest, AYesApprovesTheBytesAndSettlesThem) {
  Start("echo \"$1\" > " + Path("said"));
  command_->Ask(kFile);
  ASSERT_TRUE(WaitFor([&] { return settled_ == 1; }));
  EXPECT_TRUE(TheInode().approved);
  EXPECT_EQ(ReadFile(dir_ / "said"), "/mnt/ingest/file.bin\n");
  EXPECT_EQ(command_->LastAnswer(kFile), std::nullopt);
}

TEST_F(FinishCommandTest, ANoIsKeptForThePersonAndAskedAgainUntilItIsAYes) {
  Start("echo >> " + Path("runs") + "; [ -e " + Path("complete") +
        " ] || { echo no index; exit 3; }");
  command_->Ask(kFile);
  ASSERT_TRUE(WaitFor([&] { return command_->LastAnswer(kFile).has_value(); }));
  EXPECT_THAT(*command_->LastAnswer(kFile), HasSubstr("exited with status 3: no index"));
  ASSERT_TRUE(WaitFor([&] { return ReadFile(dir_ / "runs").size() >= 3; }));
  EXPECT_FALSE(TheInode().approved);
  WriteFile(dir_ / "complete", "");
  EXPECT_TRUE(WaitFor([&] { return settled_ == 1; }));
  EXPECT_TRUE(TheInode().approved);
}

TEST_F(FinishCommandTest, AYesDoesNotHoldForBytesThatCameMeanwhile) {
  Start(": > " + Path("begun") + "; while [ ! -e " + Path("go") + " ]; do sleep 0.01; done");
  command_->Ask(kFile);
  ASSERT_TRUE(WaitFor([&] { return std::filesystem::exists(dir_ / "begun"); }));
  Append(10);
  Close();
  WriteFile(dir_ / "go", "");
  std::filesystem::remove(dir_ / "begun");
  EXPECT_FALSE(WaitFor([&] { return settled_ > 0; }, std::chrono::milliseconds(300)));
  EXPECT_FALSE(TheInode().approved);
  command_->Ask(kFile);  // as the settler does when it was closed
  EXPECT_TRUE(WaitFor([&] { return settled_ == 1; }));
}

TEST_F(FinishCommandTest, AFileThatDoesNotWaitForItIsNotAskedAbout) {
  Start("echo >> " + Path("runs"));
  ChangeInode([](Inode& inode) { inode.content = Content::kWriting; });
  command_->Ask(kFile);
  command_->Ask(4711);
  RenameTo("file.bin.part");  // first, for a question may still be on its way
  Close();
  command_->Ask(kFile);
  EXPECT_FALSE(WaitFor([&] { return std::filesystem::exists(dir_ / "runs"); },
                       std::chrono::milliseconds(200)));
}

TEST_F(FinishCommandTest, TheEndOfTheMountDoesNotWaitForAProgram) {
  Start(": > " + Path("begun") + "; sleep 600");
  command_->Ask(kFile);
  ASSERT_TRUE(WaitFor([&] { return std::filesystem::exists(dir_ / "begun"); }));
  auto const before = system_clock_.Steady();
  command_->Stop();
  EXPECT_LT(system_clock_.Steady() - before, std::chrono::seconds(10));
  EXPECT_FALSE(TheInode().approved);
}

}  // namespace
}  // namespace tusfs
