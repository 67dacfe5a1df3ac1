// Removal and renaming: what is left of names, inodes, uploads and bytes, inside one transaction.
#include "filesystem/removal.h"

#include <gmock/gmock.h>

#include <cstdio>

#include "filesystem/directory.h"
#include "filesystem/parts.h"
#include "filesystem/rename.h"

namespace tusfs {
namespace {

using testing::ElementsAre;

class RemovalTest : public PartsRig {
 protected:
  Result<Removal::Aftermath> Remove(std::string const& name) {
    return store_->Update([&](Transaction& transaction) -> Result<Removal::Aftermath> {
      auto found = FindName(transaction, kRootInode, name);
      if (!found) return Failure(found.error());
      auto& [directory, entry, inode] = *found;
      auto removed = removal_.RemoveName(transaction, directory, name, entry, inode);
      PutInode(transaction, directory);
      return removed;
    });
  }
  Result<Renamed> Rename(std::string const& from, std::string const& to, unsigned flags = 0) {
    return store_->Update([&](Transaction& transaction) {
      return RenameEntry(transaction, removal_, {kRootInode, from}, {kRootInode, to}, flags,
                         clock_.Wall());
    });
  }
};

TEST_F(RemovalTest, TheLastNameTakesTheFileAndItsBytesGoWhenThatIsDurable) {
  auto const inode = MakeFile("f", "bytes");
  auto const upload = GiveUpload(inode, 2);
  auto const path = PathOf(inode);
  auto const aftermath = Remove("f");
  ASSERT_TRUE(Ok(aftermath));
  EXPECT_EQ(aftermath->removed, inode);
  EXPECT_EQ(aftermath->ownerless, upload);
  EXPECT_FALSE(HasRow(inode));
  EXPECT_TRUE(Ok(store_->Sync()));
  EXPECT_TRUE(tusfs_testing::WaitFor([&] { return !std::filesystem::exists(path); }));
}

TEST_F(RemovalTest, AFileThatIsOpenLivesOnWithoutANameAndWithoutItsUpload) {
  auto const inode = MakeFile("f", "bytes");
  auto const upload = GiveUpload(inode, 2);
  HaveOpen(inode);
  auto const aftermath = Remove("f");
  ASSERT_TRUE(Ok(aftermath));
  EXPECT_EQ(aftermath->ownerless, upload);
  EXPECT_EQ(Row(inode).links, 0U);
  EXPECT_TRUE(Row(inode).upload.IsNil());
  EXPECT_TRUE(std::filesystem::exists(PathOf(inode)));
}

TEST_F(RemovalTest, AFileThatLosesItsFirstNameIsRenamed) {
  auto const inode = MakeFile("first", "bytes");
  ASSERT_TRUE(Ok(fs_->Link(me_, inode, kRootInode, "second")));
  auto const handle = HaveOpen(inode, O_WRONLY);
  handle->file->may_be_renamed = false;
  auto const aftermath = Remove("first");
  ASSERT_TRUE(Ok(aftermath));
  EXPECT_EQ(aftermath->removed, 0U);
  EXPECT_EQ(aftermath->renamed, inode);
  EXPECT_TRUE(Row(inode).renamed);
  EXPECT_TRUE(handle->file->may_be_renamed) << "its writer has to say so once more";
  EXPECT_EQ(Row(inode).name, "second");
}

TEST_F(RemovalTest, AllNamesGoTogether) {
  auto const inode = MakeFile("first", "bytes");
  auto const directory = MakeDir("d");
  ASSERT_TRUE(Ok(fs_->Link(me_, inode, directory, "second")));
  auto const row = Row(inode);
  auto const aftermath = store_->Update([&](Transaction& transaction) {
    return removal_.RemoveNames(transaction, row, Fate::kRemoved);
  });
  ASSERT_TRUE(Ok(aftermath));
  EXPECT_EQ(aftermath->removed, inode);
  EXPECT_FALSE(HasRow(inode));
  EXPECT_THAT(Names(directory), ElementsAre(".", ".."));
}

// ---- renaming

TEST_F(RemovalTest, ARenameSaysWhatItMovedAndWhatItReplaced) {
  auto const moved = MakeFile("from", "new");
  auto const replaced = MakeFile("to", "old");
  auto const renamed = Rename("from", "to");
  ASSERT_TRUE(Ok(renamed));
  EXPECT_THAT(renamed->moved, ElementsAre(moved));
  EXPECT_EQ(renamed->replaced.removed, replaced);
  EXPECT_EQ(InodeOf("to"), moved);
  EXPECT_EQ(LookupCode("from"), ENOENT);
}

TEST_F(RemovalTest, AnExchangeMovesBothAndReplacesNothing) {
  auto const one = MakeFile("one", "1");
  auto const two = MakeFile("two", "2");
  auto const renamed = Rename("one", "two", RENAME_EXCHANGE);
  ASSERT_TRUE(Ok(renamed));
  EXPECT_THAT(renamed->moved, ElementsAre(one, two));
  EXPECT_EQ(renamed->replaced.removed, 0U);
  EXPECT_EQ(InodeOf("one"), two);
  EXPECT_EQ(InodeOf("two"), one);
}

TEST_F(RemovalTest, TwoNamesOfOneFileStayAsTheyAre) {
  auto const inode = MakeFile("one", "1");
  ASSERT_TRUE(Ok(fs_->Link(me_, inode, kRootInode, "two")));
  auto const renamed = Rename("one", "two");
  ASSERT_TRUE(Ok(renamed));
  EXPECT_TRUE(renamed->moved.empty());
  EXPECT_EQ(InodeOf("one"), inode);
}

TEST_F(RemovalTest, WhatMayNotBeReplacedStays) {
  MakeFile("file", "1");
  MakeDir("directory");
  EXPECT_EQ(CodeOf(Rename("file", "directory")), EISDIR);
  EXPECT_EQ(CodeOf(Rename("directory", "file")), ENOTDIR);
  EXPECT_EQ(CodeOf(Rename("file", "directory", RENAME_NOREPLACE)), EEXIST);
  EXPECT_EQ(CodeOf(Rename("file", "missing", RENAME_EXCHANGE)), ENOENT);
  EXPECT_EQ(CodeOf(Rename("missing", "file")), ENOENT);
}

// ---- directories

TEST_F(RemovalTest, WhatIsMadeInADirectoryWithSetGidHasItsGroup) {
  auto const directory = MakeDir("d");
  ChangeRow(directory, [](Inode& row) {
    row.mode |= S_ISGID;
    row.gid = 77;
  });
  auto const made = store_->Update([&](Transaction& transaction) {
    return AddInode(transaction, me_, directory, "sub", {.type = FileType::kDirectory});
  });
  ASSERT_TRUE(Ok(made));
  EXPECT_EQ(made->gid, 77U);
  EXPECT_NE(made->mode & S_ISGID, 0U);
  EXPECT_EQ(Row(directory).links, 3U);
}

TEST_F(RemovalTest, NothingIsMadeInADirectoryThatHasGone) {
  auto const directory = MakeDir("d");
  ChangeRow(directory, [](Inode& row) { row.links = 0; });
  auto const made = store_->Update([&](Transaction& transaction) {
    return AddInode(transaction, me_, directory, "f", {.type = FileType::kFifo});
  });
  EXPECT_EQ(CodeOf(made), ENOENT);
}

}  // namespace
}  // namespace tusfs
