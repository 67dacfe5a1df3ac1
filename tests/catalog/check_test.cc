// Checking: a catalog as the filesystem leaves it passes; one whose rows contradict does not.
#include "catalog/check.h"

#include <gmock/gmock.h>

#include "base/fakes.h"
#include "catalog/codec.h"
#include "catalog/namespace.h"
#include "catalog/tables.h"
#include "testing/files.h"

namespace tusfs {
namespace {

using testing::HasSubstr;

class CheckTest : public testing::Test {
 protected:
  CheckTest() {
    Change([](Transaction& transaction) {
      auto root = Node(kRootInode, FileType::kDirectory);
      auto directory = Node(2, FileType::kDirectory);
      auto file = Node(3, FileType::kRegular);
      AddEntry(transaction, root, "d", directory);
      AddEntry(transaction, directory, "f", file);
      AddEntry(transaction, root, "second name", file);
      for (auto const& node : {root, directory, file}) PutInode(transaction, node);
      PutInode(transaction, Node(4, FileType::kRegular));  // open, without a name
      PutXattr(transaction, 3, "user.a", "b");
    });
  }

  static Inode Node(InodeId id, FileType type) {
    Inode inode;
    inode.id = id;
    inode.type = type;
    inode.links = 1;
    return inode;
  }

  template <typename Decide>
  void Change(Decide const& decide) {
    auto const changed = store_->Update([&](Transaction& transaction) -> Result<void> {
      decide(transaction);
      return {};
    });
    ASSERT_TRUE(Ok(changed));
  }

  void ExpectDamage(std::string const& what) {
    auto const checked = CheckCatalog(*store_);
    EXPECT_EQ(CodeOf(checked), EUCLEAN);
    if (!checked) {
      EXPECT_THAT(checked.error().context, HasSubstr(what));
    }
  }

  tusfs_testing::TempDir const dir_;
  std::unique_ptr<Store> const store_ = Store::Open(dir_ / "catalog", {}, QuietLogger()).value();
};

TEST_F(CheckTest, WhatTheFilesystemMakesIsRight) { EXPECT_TRUE(Ok(CheckCatalog(*store_))); }

TEST_F(CheckTest, AnEmptyOneIsRight) {
  auto const empty = Store::Open(dir_ / "empty", {}, QuietLogger()).value();
  EXPECT_TRUE(Ok(CheckCatalog(*empty)));
}

TEST_F(CheckTest, ARecordThatCannotBeReadIsDamage) {
  for (auto const table : {Table::kInodes, Table::kNames, Table::kHandles, Table::kUploads}) {
    auto const key = Key(InodeId{77}, InodeId{78});
    Change([&](Transaction& transaction) { transaction.Put(table, key, "noise"); });
    ExpectDamage("");
    Change([&](Transaction& transaction) { transaction.Delete(table, key); });
  }
  EXPECT_TRUE(Ok(CheckCatalog(*store_)));
}

TEST_F(CheckTest, AnInodeWhoseNameIsMissingIsDamage) {
  Change([](Transaction& transaction) {
    transaction.Delete(Table::kNames, Key(InodeId{2}, std::string_view("f")));
  });
  ExpectDamage("inode 3");
}

TEST_F(CheckTest, ANameWithoutItsInodeIsDamage) {
  Change([](Transaction& transaction) { transaction.Delete(Table::kInodes, Key(InodeId{3})); });
  ExpectDamage("no inode");
}

TEST_F(CheckTest, ANameWithoutItsPlaceIsDamage) {
  Change([](Transaction& transaction) {
    transaction.Delete(Table::kEntries, Key(InodeId{2}, std::uint64_t{3}));
  });
  ExpectDamage("no place");
}

TEST_F(CheckTest, ANameOfAnotherTypeIsDamage) {
  Change([](Transaction& transaction) {
    auto inode = GetInode(transaction, 3);
    inode->type = FileType::kSymlink;
    PutInode(transaction, *inode);
  });
  ExpectDamage("another type");
}

}  // namespace
}  // namespace tusfs
