// Namespace: links, the primary name, and cookies that outlive changes.
#include "catalog/namespace.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "catalog/store_harness.h"
#include "catalog/tables.h"

namespace tusfs {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class NamespaceTest : public testing::Test {
 protected:
  NamespaceTest() {
    Inode root;
    root.id = kRootInode;
    root.type = FileType::kDirectory;
    root.links = 2;
    PutRow(root);
  }

  void PutRow(Inode const& inode) {
    auto const done = store_->Update([&](Transaction& transaction) -> Result<void> {
      PutInode(transaction, inode);
      return {};
    });
    ASSERT_TRUE(Ok(done));
  }

  Inode Row(InodeId id) {
    auto inode = store_->Read([&](View const& view) { return GetInode(view, id); });
    EXPECT_TRUE(Ok(inode));
    return inode.value_or(Inode{});
  }

  // Gives `inode`, which is made where it is new, the name `name`.
  void Add(InodeId parent, std::string const& name, InodeId id,
           FileType type = FileType::kRegular) {
    auto const done = store_->Update([&](Transaction& transaction) -> Result<void> {
      auto directory = GetInode(transaction, parent);
      auto inode = GetInode(transaction, id);
      if (!inode) {
        inode = Inode{};
        inode->id = id;
        inode->type = type;
      }
      AddEntry(transaction, *directory, name, *inode);
      ++inode->links;
      PutInode(transaction, *directory);
      PutInode(transaction, *inode);
      return {};
    });
    ASSERT_TRUE(Ok(done));
  }

  void Remove(InodeId parent, std::string const& name) {
    auto const done = store_->Update([&](Transaction& transaction) -> Result<void> {
      auto const entry = FindEntry(transaction, parent, name);
      if (!entry || !*entry) return Fail(ENOENT);
      auto inode = GetInode(transaction, (*entry)->inode);
      if (!inode) return Failure(inode.error());
      auto removed = RemoveEntry(transaction, parent, name, **entry, *inode);
      if (!removed) return removed;
      --inode->links;
      PutInode(transaction, *inode);
      return {};
    });
    ASSERT_TRUE(Ok(done));
  }

  std::vector<std::string> Names(InodeId directory, std::uint64_t after = 0,
                                 std::uint64_t* cookie = nullptr, std::size_t limit = 1000) {
    std::vector<std::string> names;
    auto const visited = store_->Read([&](View const& view) {
      return VisitEntries(view, directory, after, [&](std::string_view name, Entry const& entry) {
        if (names.size() == limit) return false;
        names.emplace_back(name);
        if (cookie != nullptr) *cookie = entry.sequence;
        return true;
      });
    });
    EXPECT_TRUE(Ok(visited));
    return names;
  }

  std::string PathOfInode(InodeId id) {
    auto const path = store_->Read([&](View const& view) -> Result<std::string> {
      auto const inode = GetInode(view, id);
      if (!inode) return Failure(inode.error());
      return PathOf(view, *inode);
    });
    return path ? *path : "errno " + std::to_string(path.error().code);
  }

  Result<Inode> Resolve(std::string const& path) {
    return store_->Read([&](View const& view) { return ResolvePath(view, path); });
  }

  tusfs_testing::TempDir const dir_;
  std::unique_ptr<Store> const store_ = OpenStore(dir_ / "catalog");
};

TEST_F(NamespaceTest, ANameIsFoundUntilItIsRemoved) {
  Add(kRootInode, "a", 10);
  EXPECT_EQ(Resolve("a").value().id, 10U);
  Remove(kRootInode, "a");
  EXPECT_EQ(CodeOf(Resolve("a")), ENOENT);
  EXPECT_THAT(Names(kRootInode), IsEmpty());
}

TEST_F(NamespaceTest, NamesThatBeginAlikeAreDifferent) {
  Add(kRootInode, "a", 10);
  Add(kRootInode, "ab", 11);
  Add(kRootInode, "", 12);
  EXPECT_EQ(Resolve("a").value().id, 10U);
  EXPECT_EQ(Resolve("ab").value().id, 11U);
}

TEST_F(NamespaceTest, EntriesOfNeighboursAreNotListed) {
  Add(kRootInode, "d1", 10, FileType::kDirectory);
  Add(kRootInode, "d2", 11, FileType::kDirectory);
  Add(10, "x", 20);
  Add(11, "y", 21);
  EXPECT_THAT(Names(10), ElementsAre("x"));
  EXPECT_THAT(Names(11), ElementsAre("y"));
}

TEST_F(NamespaceTest, TheFirstNameIsThePrimaryOne) {
  Add(kRootInode, "first", 10);
  Add(kRootInode, "second", 10);
  EXPECT_EQ(PathOfInode(10), "first");
}

TEST_F(NamespaceTest, AnotherNameIsPromotedWhenThePrimaryOneGoes) {
  Add(kRootInode, "d", 5, FileType::kDirectory);
  Add(kRootInode, "first", 10);
  Add(5, "second", 10);
  Remove(kRootInode, "first");
  EXPECT_EQ(PathOfInode(10), "d/second");
  Remove(5, "second");
  EXPECT_EQ(PathOfInode(10), "errno 2");
  EXPECT_EQ(Row(10).links, 0U);
}

TEST_F(NamespaceTest, ThePrimaryNameStaysWhenAnotherOneGoes) {
  Add(kRootInode, "first", 10);
  Add(kRootInode, "second", 10);
  Add(kRootInode, "third", 10);
  Remove(kRootInode, "second");
  EXPECT_EQ(PathOfInode(10), "first");
  Remove(kRootInode, "first");
  EXPECT_EQ(PathOfInode(10), "third");
}

TEST_F(NamespaceTest, AnotherFilesLinksAreNotPromoted) {
  Add(kRootInode, "a", 10);
  Add(kRootInode, "b", 11);
  Add(kRootInode, "b2", 11);
  Remove(kRootInode, "a");
  EXPECT_EQ(PathOfInode(10), "errno 2");
  EXPECT_EQ(PathOfInode(11), "b");
}

TEST_F(NamespaceTest, PathsGoThroughRenamedDirectories) {
  Add(kRootInode, "d", 5, FileType::kDirectory);
  Add(5, "e", 6, FileType::kDirectory);
  Add(6, "f", 10);
  EXPECT_EQ(PathOfInode(10), "d/e/f");
  Remove(kRootInode, "d");
  Add(kRootInode, "new", 5);
  EXPECT_EQ(PathOfInode(10), "new/e/f");
  EXPECT_EQ(Resolve("new/e/f").value().id, 10U);
  EXPECT_EQ(CodeOf(Resolve("d/e/f")), ENOENT);
}

TEST_F(NamespaceTest, APathThroughAFileIsNotADirectory) {
  Add(kRootInode, "file", 10);
  EXPECT_EQ(CodeOf(Resolve("file/below")), ENOTDIR);
}

TEST_F(NamespaceTest, APathWithANameTooLongToExistIsRefusedAsOne) {
  auto const code = CodeOf(Resolve(std::string(1000, 'n')));
  EXPECT_TRUE(code == ENAMETOOLONG || code == ENOENT) << code;
}

TEST_F(NamespaceTest, EmptyPathsAndDotsAreTheRoot) {
  EXPECT_EQ(Resolve("").value().id, kRootInode);
  EXPECT_EQ(Resolve("./").value().id, kRootInode);
  EXPECT_EQ(CodeOf(Resolve("..")), ENOENT);
}

TEST_F(NamespaceTest, AListingGoesOnAtItsCookieWhileNamesComeAndGo) {
  for (int i = 0; i < 10; ++i) {
    Add(kRootInode, "n" + std::to_string(i), 100 + static_cast<InodeId>(i));
  }
  std::uint64_t cookie = 0;
  EXPECT_THAT(Names(kRootInode, 0, &cookie, 4), ElementsAre("n0", "n1", "n2", "n3"));
  Remove(kRootInode, "n1");
  Remove(kRootInode, "n3");  // the cookie's own entry
  Remove(kRootInode, "n6");
  Add(kRootInode, "n1", 200);
  EXPECT_THAT(Names(kRootInode, cookie), ElementsAre("n4", "n5", "n7", "n8", "n9", "n1"));
}

TEST_F(NamespaceTest, ACookieIsNeverGivenToAnotherName) {
  std::uint64_t first = 0;
  std::uint64_t second = 0;
  Add(kRootInode, "a", 10);
  Names(kRootInode, 0, &first);
  Remove(kRootInode, "a");
  Add(kRootInode, "b", 11);
  Names(kRootInode, 0, &second);
  EXPECT_GT(second, first);
}

TEST_F(NamespaceTest, CookiesLeaveRoomForDotAndDotDot) {
  std::uint64_t cookie = 0;
  Add(kRootInode, "a", 10);
  Names(kRootInode, 0, &cookie);
  EXPECT_GT(cookie, 2U);
}

TEST_F(NamespaceTest, ADirectoryIsEmptyAgainWhenItsLastNameGoes) {
  Add(kRootInode, "d", 5, FileType::kDirectory);
  auto const empty = [&] {
    return store_->Read([](View const& view) { return IsEmptyDirectory(view, 5); });
  };
  EXPECT_TRUE(empty().value());
  Add(5, "a", 10);
  EXPECT_FALSE(empty().value());
  Remove(5, "a");
  EXPECT_TRUE(empty().value());
}

}  // namespace
}  // namespace tusfs
