// Filesystem: a file is uploaded under the first of its names. Whatever gives it another first name
// does what a rename does: its quiet time starts over, and it is looked at under its new name.
#include <gmock/gmock.h>

#include "filesystem/report.h"
#include "filesystem/rig.h"

namespace tusfs {
namespace {

using tusfs_testing::WaitFor;

class FirstNameTest : public FilesystemRig {
 protected:
  FirstNameTest() {
    settle_ = std::chrono::milliseconds(0);
    Remount();
    StartThreads();
  }
  ~FirstNameTest() override { StopThreads(); }

  /// Of a file that stays as it is under this name: the settler has seen it.
  InodeId MakeHeld(std::string const& name) {
    auto const inode = MakeFile(name, "12345");
    auto const later = MakeFile("later " + std::to_string(++later_));
    EXPECT_TRUE(WaitFor([&] { return Row(later).content == Content::kFinished; }));
    EXPECT_EQ(Row(inode).content, Content::kSettling);
    return inode;
  }

  int later_ = 0;

  void ExpectFinishes(InodeId inode, std::string const& path) {
    EXPECT_TRUE(WaitFor([&] { return Row(inode).content == Content::kFinished; }));
    auto const row = Row(inode);
    EXPECT_EQ(store_->Read([&](View const& view) { return tusfs::PathOf(view, row); }), path);
  }
};

TEST_F(FirstNameTest, AFileWhoseFirstNameGoesFinishesUnderTheOtherOne) {
  auto const inode = MakeHeld("x.part");
  ASSERT_TRUE(Ok(fs_->Link(me_, inode, kRootInode, "x")));
  ASSERT_TRUE(Ok(fs_->Unlink(me_, kRootInode, "x.part")));
  ExpectFinishes(inode, "x");
}

TEST_F(FirstNameTest, AFileWhoseFirstNameIsReplacedFinishesUnderTheOtherOne) {
  auto const inode = MakeHeld("x.part");
  ASSERT_TRUE(Ok(fs_->Link(me_, inode, kRootInode, "x")));
  MakeFile("other");
  EXPECT_EQ(RenameCode("other", "x.part"), 0);
  ExpectFinishes(inode, "x");
}

TEST_F(FirstNameTest, AFileWhoseFirstNameIsRenamedHasThatOneFirst) {
  auto const inode = MakeHeld("x.part");
  ASSERT_TRUE(Ok(fs_->Link(me_, inode, kRootInode, "kept.part")));
  EXPECT_EQ(RenameCode("x.part", "x"), 0);
  ExpectFinishes(inode, "x");
}

TEST_F(FirstNameTest, FilesWhoseFirstNamesAreExchangedAreBothLookedAt) {
  auto const first = MakeHeld("x.part");
  auto const second = MakeHeld("y.part");
  ASSERT_TRUE(Ok(fs_->Link(me_, first, kRootInode, "kept.part")));
  auto const d = MakeDir("d");
  auto const third = MakeFile("z", "12345", d);
  ASSERT_TRUE(Ok(fs_->Rename(me_, kRootInode, "x.part", d, "z", RENAME_EXCHANGE)));
  ExpectFinishes(first, "d/z");
  EXPECT_EQ(RenameCode("x.part", "w"), 0);
  ExpectFinishes(third, "w");
  EXPECT_EQ(RenameCode("y.part", "y"), 0);
  ExpectFinishes(second, "y");
}

TEST_F(FirstNameTest, AFileThatWaitsForARenameIsFinishedByAnotherFirstName) {
  StopThreads();
  rules_.finish = {{Glob::Parse("later*").value(), FinishBy::kClose},
                   {Glob::Parse("*").value(), FinishBy::kRename}};
  Remount();
  StartThreads();
  auto const inode = MakeHeld("incoming");
  ASSERT_TRUE(Ok(fs_->Link(me_, inode, kRootInode, "done")));
  ASSERT_TRUE(Ok(fs_->Unlink(me_, kRootInode, "incoming")));
  ExpectFinishes(inode, "done");
}

}  // namespace
}  // namespace tusfs
