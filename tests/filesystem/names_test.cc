// Filesystem: names, as the system calls of the same purpose promise.
#include <gmock/gmock.h>

#include "filesystem/rig.h"

namespace tusfs {
namespace {

using testing::ElementsAre;
using tusfs_testing::WaitFor;

class NamesTest : public FilesystemRig {};

TEST_F(NamesTest, AFileIsFoundByItsName) {
  auto const inode = MakeFile("a", "bytes");
  auto const found = fs_->Lookup(kRootInode, "a");
  ASSERT_TRUE(Ok(found));
  EXPECT_EQ(found->inode, inode);
  EXPECT_EQ(found->size, 5U);
  EXPECT_EQ(found->links, 1U);
  EXPECT_EQ(found->uid, 1000U);
  EXPECT_EQ(LookupCode("b"), ENOENT);
}

TEST_F(NamesTest, AnExistingNameIsNotCreatedAgain) {
  MakeFile("a");
  EXPECT_EQ(CodeOf(fs_->Create(me_, kRootInode, "a", 0644, O_WRONLY)), EEXIST);
  EXPECT_EQ(CodeOf(fs_->MakeDirectory(me_, kRootInode, "a", 0755)), EEXIST);
  EXPECT_EQ(CodeOf(fs_->MakeSymlink(me_, kRootInode, "a", "b")), EEXIST);
}

TEST_F(NamesTest, ARefusedCreationLeavesNoBytesBehind) {
  MakeFile("a");
  auto const before = SpoolFiles();
  EXPECT_FALSE(fs_->Create(me_, kRootInode, "a", 0644, O_WRONLY));
  EXPECT_FALSE(fs_->Create(me_, 999, "b", 0644, O_WRONLY));
  EXPECT_EQ(SpoolFiles(), before);
}

TEST_F(NamesTest, ANameMayHave255BytesAndNoMore) {
  MakeFile(std::string(255, 'n'));
  EXPECT_EQ(CodeOf(fs_->Create(me_, kRootInode, std::string(256, 'n'), 0644, O_WRONLY)),
            ENAMETOOLONG);
  EXPECT_EQ(LookupCode(std::string(256, 'n')), ENAMETOOLONG);
  EXPECT_EQ(RenameCode(std::string(255, 'n'), std::string(256, 'm')), ENAMETOOLONG);
  auto const inode = InodeOf(std::string(255, 'n'));
  EXPECT_TRUE(Ok(fs_->Link(me_, inode, kRootInode, std::string(255, 'l'))));
  EXPECT_EQ(CodeOf(fs_->Link(me_, inode, kRootInode, std::string(256, 'l'))), ENAMETOOLONG);
}

TEST_F(NamesTest, NamesAreBytes) {
  std::string const name("\xff\n -e", 5);
  auto const inode = MakeFile(name);
  EXPECT_EQ(InodeOf(name), inode);
  EXPECT_THAT(Names(), ElementsAre(".", "..", name));
}

TEST_F(NamesTest, DirectoriesCountTheirSubdirectories) {
  EXPECT_EQ(Stat(kRootInode).links, 2U);
  auto const d = MakeDir("d");
  EXPECT_EQ(Stat(d).links, 2U);
  EXPECT_EQ(Stat(kRootInode).links, 3U);
  MakeDir("e", d);
  MakeFile("f", "", d);
  EXPECT_EQ(Stat(d).links, 3U);
  ASSERT_TRUE(Ok(fs_->RemoveDirectory(me_, d, "e")));
  EXPECT_EQ(Stat(d).links, 2U);
}

TEST_F(NamesTest, MovingADirectoryMovesItsLink) {
  auto const a = MakeDir("a");
  auto const b = MakeDir("b");
  MakeDir("x", a);
  ASSERT_TRUE(Ok(fs_->Rename(me_, a, "x", b, "x", 0)));
  EXPECT_EQ(Stat(a).links, 2U);
  EXPECT_EQ(Stat(b).links, 3U);
  MakeDir("y", a);
  ASSERT_TRUE(Ok(fs_->Rename(me_, a, "y", b, "x", 0)));  // over an empty one
  EXPECT_EQ(Stat(a).links, 2U);
  EXPECT_EQ(Stat(b).links, 3U);
}

TEST_F(NamesTest, OnlyEmptyDirectoriesAreRemoved) {
  auto const d = MakeDir("d");
  MakeFile("f", "", d);
  EXPECT_EQ(CodeOf(fs_->RemoveDirectory(me_, kRootInode, "d")), ENOTEMPTY);
  ASSERT_TRUE(Ok(fs_->Unlink(me_, d, "f")));
  EXPECT_TRUE(Ok(fs_->RemoveDirectory(me_, kRootInode, "d")));
  EXPECT_EQ(LookupCode("d"), ENOENT);
}

TEST_F(NamesTest, RmdirIsForDirectoriesAndUnlinkForTheRest) {
  MakeDir("d");
  MakeFile("f");
  EXPECT_EQ(CodeOf(fs_->RemoveDirectory(me_, kRootInode, "f")), ENOTDIR);
  EXPECT_EQ(CodeOf(fs_->Unlink(me_, kRootInode, "d")), EISDIR);
  EXPECT_EQ(CodeOf(fs_->Unlink(me_, kRootInode, "nothing")), ENOENT);
  EXPECT_EQ(CodeOf(fs_->RemoveDirectory(me_, kRootInode, "nothing")), ENOENT);
}

TEST_F(NamesTest, NothingIsMadeInARemovedDirectoryOrInAFile) {
  auto const d = MakeDir("d");
  ASSERT_TRUE(Ok(fs_->RemoveDirectory(me_, kRootInode, "d")));
  EXPECT_EQ(CodeOf(fs_->Create(me_, d, "f", 0644, O_WRONLY)), ENOENT);
  auto const f = MakeFile("f");
  EXPECT_EQ(CodeOf(fs_->MakeDirectory(me_, f, "x", 0755)), ENOTDIR);
}

// ---- rename

TEST_F(NamesTest, ARenameReplacesAFile) {
  auto const a = MakeFile("a", "new");
  auto const b = MakeFile("b", "old");
  ASSERT_EQ(RenameCode("a", "b"), 0);
  EXPECT_EQ(InodeOf("b"), a);
  EXPECT_EQ(LookupCode("a"), ENOENT);
  EXPECT_FALSE(HasRow(b));
  EXPECT_EQ(BytesOf(a), "new");
  EXPECT_TRUE(WaitFor([&] { return SpoolFiles() == 1; })) << "the replaced bytes go";
}

TEST_F(NamesTest, ARenameReplacesOnlyItsOwnKind) {
  MakeFile("f");
  MakeDir("d");
  auto const full = MakeDir("full");
  MakeFile("x", "", full);
  EXPECT_EQ(RenameCode("f", "d"), EISDIR);
  EXPECT_EQ(RenameCode("d", "f"), ENOTDIR);
  EXPECT_EQ(RenameCode("d", "full"), ENOTEMPTY);
  EXPECT_EQ(RenameCode("nothing", "f"), ENOENT);
  EXPECT_EQ(RenameCode("full", "d"), 0);
  EXPECT_EQ(InodeOf("d"), full);
}

TEST_F(NamesTest, NoreplaceLeavesBothAsTheyWere) {
  auto const a = MakeFile("a", "1");
  auto const b = MakeFile("b", "2");
  EXPECT_EQ(RenameCode("a", "b", RENAME_NOREPLACE), EEXIST);
  EXPECT_EQ(InodeOf("a"), a);
  EXPECT_EQ(InodeOf("b"), b);
  EXPECT_EQ(RenameCode("a", "c", RENAME_NOREPLACE), 0);
}

TEST_F(NamesTest, ExchangeSwapsWhateverTheyAre) {
  auto const d = MakeDir("d");
  MakeFile("x", "", d);
  auto const f = MakeFile("f", "1");
  EXPECT_EQ(RenameCode("d", "f", RENAME_EXCHANGE), 0);
  EXPECT_EQ(InodeOf("d"), f);
  EXPECT_EQ(InodeOf("f"), d);
  EXPECT_EQ(RenameCode("f", "nothing", RENAME_EXCHANGE), ENOENT);
  EXPECT_EQ(RenameCode("d", "f", RENAME_WHITEOUT), EINVAL);
}

TEST_F(NamesTest, ExchangeAcrossDirectoriesKeepsLinkCountsAndParents) {
  auto const a = MakeDir("a");
  auto const b = MakeDir("b");
  auto const sub = MakeDir("sub", a);
  auto const file = MakeFile("file", "1", b);
  ASSERT_TRUE(Ok(fs_->Rename(me_, a, "sub", b, "file", RENAME_EXCHANGE)));
  EXPECT_EQ(Stat(a).links, 2U);
  EXPECT_EQ(Stat(b).links, 3U);
  EXPECT_EQ(InodeOf("file", b), sub);
  EXPECT_EQ(InodeOf("sub", a), file);
  EXPECT_EQ(Row(sub).parent, b);
  EXPECT_EQ(Row(file).name, "sub");
}

TEST_F(NamesTest, RenamingAFileToItselfDoesNothing) {
  auto const a = MakeFile("a", "1");
  ASSERT_TRUE(Ok(fs_->Link(me_, a, kRootInode, "b")));
  EXPECT_EQ(RenameCode("a", "a"), 0);
  EXPECT_EQ(RenameCode("a", "b"), 0);  // POSIX: two names of one file
  EXPECT_EQ(InodeOf("a"), a);
  EXPECT_EQ(InodeOf("b"), a);
  EXPECT_EQ(Stat(a).links, 2U);
}

// ---- links

TEST_F(NamesTest, AFileLivesAsLongAsOneOfItsNames) {
  auto const a = MakeFile("a", "bytes");
  auto const linked = fs_->Link(me_, a, kRootInode, "b");
  ASSERT_TRUE(Ok(linked));
  EXPECT_EQ(linked->links, 2U);
  ASSERT_TRUE(Ok(fs_->Unlink(me_, kRootInode, "a")));
  EXPECT_EQ(Stat(a).links, 1U);
  EXPECT_EQ(BytesOf(a), "bytes");
  EXPECT_EQ(Row(a).name, "b") << "the other name is the one that is uploaded now";
  ASSERT_TRUE(Ok(fs_->Unlink(me_, kRootInode, "b")));
  EXPECT_FALSE(HasRow(a));
}

TEST_F(NamesTest, DirectoriesHaveNoHardLinks) {
  auto const d = MakeDir("d");
  EXPECT_EQ(CodeOf(fs_->Link(me_, d, kRootInode, "e")), EPERM);
  EXPECT_EQ(CodeOf(fs_->Link(me_, MakeFile("f"), kRootInode, "d")), EEXIST);
}

TEST_F(NamesTest, AFileWithoutANameGetsNoneAgain) {
  auto const created = Create("a", O_RDWR);
  ASSERT_TRUE(Ok(fs_->Unlink(me_, kRootInode, "a")));
  EXPECT_EQ(CodeOf(fs_->Link(me_, created.attributes.inode, kRootInode, "b")), ENOENT);
  Close(created.handle);
}

TEST_F(NamesTest, ASymlinkKeepsItsTarget) {
  auto const link = fs_->MakeSymlink(me_, kRootInode, "l", "../some where");
  ASSERT_TRUE(Ok(link));
  EXPECT_EQ(link->size, 13U);
  EXPECT_EQ(fs_->ReadSymlink(link->inode), "../some where");
  EXPECT_EQ(CodeOf(fs_->ReadSymlink(MakeFile("f"))), EINVAL);
}

// ---- attributes that names bring

TEST_F(NamesTest, SetgidDirectoriesGiveTheirGroupOn) {
  Caller const caller{.uid = 7, .gid = 7, .pid = 1};
  auto const d = fs_->MakeDirectory({.uid = 7, .gid = 55, .pid = 1}, kRootInode, "d", 02775);
  ASSERT_TRUE(Ok(d));
  EXPECT_EQ(d->mode, 02775U);
  auto const file = fs_->Create(caller, d->inode, "f", 0644, O_WRONLY);
  auto const sub = fs_->MakeDirectory(caller, d->inode, "s", 0755);
  ASSERT_TRUE(file && sub);
  EXPECT_EQ(file->attributes.gid, 55U);
  EXPECT_EQ(file->attributes.mode, 0644U);
  EXPECT_EQ(sub->gid, 55U);
  EXPECT_EQ(sub->mode, 02755U);
  EXPECT_TRUE(Ok(fs_->Release(file->handle)));
}

TEST_F(NamesTest, ChangesOfNamesTouchTheDirectory) {
  auto const before = Stat(kRootInode).modified;
  clock_.Advance(std::chrono::seconds(1));
  MakeFile("a");
  auto const made = Stat(kRootInode).modified;
  EXPECT_GT(made, before);
  clock_.Advance(std::chrono::seconds(1));
  ASSERT_EQ(RenameCode("a", "b"), 0);
  auto const renamed = Stat(kRootInode).modified;
  EXPECT_GT(renamed, made);
  clock_.Advance(std::chrono::seconds(1));
  ASSERT_TRUE(Ok(fs_->Unlink(me_, kRootInode, "b")));
  EXPECT_GT(Stat(kRootInode).modified, renamed);
}

// ---- listing

TEST_F(NamesTest, AListingBeginsWithDotAndDotDot) {
  auto const d = MakeDir("d");
  MakeFile("f", "", d);
  std::vector<std::string> seen;
  auto const listed = fs_->ReadDirectory(
      d, 0, [&](std::string const& name, Attributes const& attributes, std::uint64_t) {
        seen.push_back(name + ":" + std::to_string(attributes.inode));
        return true;
      });
  ASSERT_TRUE(Ok(listed));
  EXPECT_THAT(seen, ElementsAre(".:" + std::to_string(d), "..:" + std::to_string(kRootInode),
                                "f:" + std::to_string(InodeOf("f", d))));
  EXPECT_EQ(CodeOf(fs_->ReadDirectory(InodeOf("f", d), 0,
                                      [](auto const&, auto const&, auto) { return true; })),
            ENOTDIR);
}

TEST_F(NamesTest, AListingOfNamesOnlyShowsTheSameNamesInodesAndTypes) {
  MakeDir("d");
  MakeFile("f", "12345");
  ASSERT_TRUE(Ok(fs_->MakeSymlink(me_, kRootInode, "l", "f")));
  using Row = std::tuple<std::string, InodeId, FileType, std::uint64_t>;
  auto const list = [this](Filesystem::Listing listing) {
    std::vector<Row> rows;
    auto const visit = [&](auto const& name, auto const& attributes, std::uint64_t cookie) {
      rows.emplace_back(name, attributes.inode, attributes.type, cookie);
      return true;
    };
    EXPECT_TRUE(Ok(fs_->ReadDirectory(kRootInode, 0, visit, listing)));
    return rows;
  };
  auto const names = list(Filesystem::Listing::kNamesOnly);
  EXPECT_THAT(names, testing::SizeIs(5));
  EXPECT_EQ(names, list(Filesystem::Listing::kWithAttributes));
}

TEST_F(NamesTest, AListingInPiecesShowsEveryNameOnceWhileOthersComeAndGo) {
  for (int i = 0; i < 20; ++i) MakeFile("n" + std::to_string(i));
  std::vector<std::string> seen;
  std::uint64_t cookie = 0;
  for (int piece = 0;; ++piece) {
    auto const before = seen.size();
    std::size_t room = 3;
    auto const listed = fs_->ReadDirectory(
        kRootInode, cookie, [&](std::string const& name, Attributes const&, std::uint64_t at) {
          if (room-- == 0) return false;
          seen.push_back(name);
          cookie = at;
          return true;
        });
    ASSERT_TRUE(Ok(listed));
    if (seen.size() == before) break;
    if (piece == 1) {
      ASSERT_TRUE(Ok(fs_->Unlink(me_, kRootInode, "n1")));
    }
    if (piece == 2) {
      ASSERT_TRUE(Ok(fs_->Unlink(me_, kRootInode, "n19")));
    }
    if (piece == 3) MakeFile("late");
    ASSERT_LT(piece, 50);
  }
  std::vector<std::string> expected{".", ".."};
  for (int i = 0; i < 19; ++i) expected.push_back("n" + std::to_string(i));
  expected.push_back("late");
  EXPECT_EQ(seen, expected);
}

TEST_F(NamesTest, EverythingIsThereAfterARemount) {
  auto const d = MakeDir("d");
  auto const f = MakeFile("f", "bytes", d);
  ASSERT_TRUE(Ok(fs_->MakeSymlink(me_, d, "l", "f")));
  ASSERT_TRUE(Ok(fs_->Link(me_, f, kRootInode, "hard")));
  Remount();
  EXPECT_THAT(Names(d), ElementsAre(".", "..", "f", "l"));
  EXPECT_EQ(InodeOf("hard"), f);
  EXPECT_EQ(BytesOf(f), "bytes");
  EXPECT_NE(MakeFile("new"), f);
}

}  // namespace
}  // namespace tusfs
