// Kept: which uploaded files still have their bytes here, in the order in which they were used.
#include "catalog/kept.h"

#include <gmock/gmock.h>

#include "catalog/store_harness.h"
#include "catalog/tables.h"

namespace tusfs {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class KeptTest : public testing::Test {
 protected:
  template <typename Change>
  void Update(Change const& change) {
    auto const done = store_->Update([&](Transaction& transaction) -> Result<void> {
      change(transaction);
      return {};
    });
    ASSERT_TRUE(Ok(done));
  }

  static Inode Uploaded(InodeId id, FileTime used) {
    Inode inode;
    inode.id = id;
    inode.version = id + 100;
    inode.kept_at = used;
    return inode;
  }

  void Put(Inode const& inode) {
    Update([&](Transaction& transaction) { PutInode(transaction, inode); });
  }

  std::vector<InodeId> Kept(KeptFile const& after = {}, std::size_t limit = 100) {
    std::vector<InodeId> inodes;
    auto const files =
        store_->Read([&](View const& view) { return ListKept(view, after, limit); }).value();
    for (auto const& file : files) inodes.push_back(file.inode);
    return inodes;
  }

  tusfs_testing::TempDir const dir_;
  std::unique_ptr<Store> const store_ = OpenStore(dir_ / "catalog");
};

TEST_F(KeptTest, ListsTheLeastRecentlyUsedFirst) {
  Put(Uploaded(1, 300));
  Put(Uploaded(2, 100));
  Put(Uploaded(3, 200));
  EXPECT_THAT(Kept(), ElementsAre(2, 3, 1));
  EXPECT_THAT(Kept({.used = 100, .inode = 2}), ElementsAre(3, 1));
  EXPECT_THAT(Kept({}, 1), ElementsAre(2));
}

TEST_F(KeptTest, AFileThatIsUsedGoesToTheEnd) {
  Put(Uploaded(1, 100));
  Put(Uploaded(2, 200));
  Update([&](Transaction& transaction) {
    auto inode = GetInode(transaction, 1).value();
    UseKept(transaction, inode, 300);
    PutInode(transaction, inode);
  });
  EXPECT_THAT(Kept(), ElementsAre(2, 1));
}

TEST_F(KeptTest, WhatIsChangedEvictedOrRemovedIsNotThere) {
  auto changed = Uploaded(1, 100);
  auto evicted = Uploaded(2, 200);
  auto const removed = Uploaded(3, 300);
  for (auto const& inode : {changed, evicted, removed}) Put(inode);
  changed.content = Content::kWriting;
  Put(changed);
  evicted.version = 0;
  Put(evicted);
  Update([&](Transaction& transaction) { ASSERT_TRUE(Ok(DeleteInode(transaction, removed))); });
  EXPECT_THAT(Kept(), IsEmpty());
}

TEST_F(KeptTest, AFileOfWhichNobodyKnowsWhenItWasUsedIsNotThere) {
  Put(Uploaded(1, 0));
  EXPECT_THAT(Kept(), IsEmpty());
}

TEST_F(KeptTest, OnlyWhatIsFinishedIsMarkedUploaded) {
  auto inode = Uploaded(7, 0);
  inode.content = Content::kFinished;
  Update([&](Transaction& transaction) { MarkUploaded(transaction, inode, 50); });
  EXPECT_EQ(inode.content, Content::kUploaded);
  EXPECT_EQ(inode.published, 50);
  auto settling = Uploaded(8, 0);
  settling.content = Content::kSettling;
  Update([&](Transaction& transaction) { MarkUploaded(transaction, settling, 50); });
  EXPECT_EQ(settling.content, Content::kSettling);
  EXPECT_EQ(settling.published, 0);
  EXPECT_EQ(settling.kept_at, 0);
}

}  // namespace
}  // namespace tusfs
