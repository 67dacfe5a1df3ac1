// Rebuilding: a new catalog from what the spool's files say of themselves.
#include "filesystem/rebuild.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "catalog/kept.h"
#include "catalog/life.h"
#include "filesystem/describer.h"
#include "filesystem/rig.h"

namespace tusfs {
namespace {

class RebuildTest : public FilesystemRig {
 protected:
  RebuildTest() { describer_ = std::make_unique<Describer>(*store_, *spool_, logger_); }

  /// The catalog is lost; what the spool says is all there is.
  Rebuilt LoseTheCatalog() {
    describer_.reset();
    Unmount();
    std::filesystem::remove_all(dir_ / "catalog");
    OpenState();
    auto const rebuilt = RebuildCatalog(*store_, *spool_, clock_, OptionsOfRecovery(), logger_);
    EXPECT_TRUE(Ok(rebuilt));
    auto const connection = Recover(*store_, *spool_, clock_, OptionsOfRecovery());
    EXPECT_TRUE(Ok(connection));
    connection_ = connection.value_or(0);
    Serve();
    return rebuilt.value_or(Rebuilt{});
  }

  InodeId Resolve(std::string const& path) {
    auto const inode = store_->Read([&](View const& view) { return ResolvePath(view, path); });
    EXPECT_TRUE(Ok(inode)) << path;
    return inode ? inode->id : 0;
  }

  std::unique_ptr<Describer> describer_;
};

TEST_F(RebuildTest, FilesHaveTheirNamesBytesAndModesAgain) {
  auto const directory = MakeDir("two", MakeDir("one"));
  auto const file = MakeFile("f\n\xff", "precious", directory);
  AttributeChange change;
  change.mode = 0640;
  change.modified = 1234;
  ASSERT_TRUE(Ok(fs_->SetAttributes(me_, file, change, 0)));
  auto const rebuilt = LoseTheCatalog();
  EXPECT_EQ(rebuilt.files, 1U);
  EXPECT_EQ(rebuilt.nameless, 0U);
  auto const again = Resolve("one/two/f\n\xff");
  EXPECT_EQ(BytesOf(again), "precious");
  EXPECT_EQ(Stat(again).mode, 0640U);
  EXPECT_EQ(Stat(again).modified, 1234);
  EXPECT_EQ(Stat(again).uid, me_.uid);
}

TEST_F(RebuildTest, WhatWasNotFinishedIsInterrupted) {
  auto const created = Create("f");
  Write(created.handle, 0, "half");
  LoseTheCatalog();
  EXPECT_EQ(Row(Resolve("f")).content, Content::kInterrupted);
  EXPECT_THAT(Row(Resolve("f")).reason, testing::HasSubstr("damaged"));
}

TEST_F(RebuildTest, WhatWasFinishedGoesOnAndTheServerIsAskedFirst) {
  auto const inode = MakeFile("f", "12345");
  GiveUpload(inode, 3);
  ChangeRow(inode, [](Inode& row) { row.content = Content::kFinished; });
  LoseTheCatalog();
  auto const row = Row(Resolve("f"));
  EXPECT_EQ(row.content, Content::kFinished);
  auto const upload =
      store_->Read([&](View const& view) { return FindUpload(view, row.upload); }).value();
  ASSERT_TRUE(upload);
  EXPECT_EQ(upload->phase, UploadPhase::kFinalSent) << "it may have been published";
  EXPECT_EQ(upload->url, "http://tus:1080/files/1");
}

TEST_F(RebuildTest, WhatWasUploadedStaysSo) {
  auto const inode = MakeFile("f", "12345");
  GiveUpload(inode, 5, UploadPhase::kComplete);
  ChangeRow(inode, [](Inode& row) { row.content = Content::kUploaded; });
  LoseTheCatalog();
  EXPECT_EQ(Row(Resolve("f")).content, Content::kUploaded);
}

TEST_F(RebuildTest, ARenamedFileHasItsLastName) {
  MakeFile("before", "x");
  EXPECT_EQ(RenameCode("before", "after"), 0);
  LoseTheCatalog();
  EXPECT_EQ(BytesOf(Resolve("after")), "x");
  EXPECT_EQ(LookupCode("before"), ENOENT);
}

TEST_F(RebuildTest, FilesInARenamedDirectoryHaveTheirLastNames) {
  auto const inner = MakeDir("inner", MakeDir("before"));
  MakeFile("f", "x", inner);
  EXPECT_EQ(RenameCode("before", "after"), 0);
  LoseTheCatalog();
  EXPECT_EQ(BytesOf(Resolve("after/inner/f")), "x");
  EXPECT_EQ(LookupCode("before"), ENOENT);
}

TEST_F(RebuildTest, WhatADescriberDiedOverIsDescribedByTheNextOne) {
  describer_.reset();  // as one that was killed: it has not noted this
  MakeFile("f", "precious");
  auto const uploaded = MakeFile("uploaded", "12345");
  GiveUpload(uploaded, 5, UploadPhase::kComplete);
  auto const marked = store_->Update([&](Transaction& transaction) -> Result<void> {
    auto row = GetInode(transaction, uploaded).value();
    life::Finish(row);
    MarkUploaded(transaction, row, clock_.Wall());
    PutInode(transaction, row);
    return {};
  });
  ASSERT_TRUE(Ok(marked));
  describer_ = std::make_unique<Describer>(*store_, *spool_, logger_);
  ASSERT_TRUE(tusfs_testing::WaitFor([&] {
    return std::ranges::all_of(spool_->ListDescribed().value(),
                               [](auto const& found) { return found.description.has_value(); });
  }));
  auto const rebuilt = LoseTheCatalog();
  EXPECT_EQ(rebuilt.nameless, 0U);
  EXPECT_EQ(BytesOf(Resolve("f")), "precious");
  EXPECT_EQ(Row(Resolve("uploaded")).content, Content::kUploaded);
}

TEST_F(RebuildTest, FilesThatNobodyDescribedAreKeptWithoutTheirNames) {
  describer_.reset();
  auto const version = Row(MakeFile("f", "precious")).version;
  auto const rebuilt = LoseTheCatalog();
  EXPECT_EQ(rebuilt.nameless, 1U);
  EXPECT_EQ(BytesOf(Resolve("lost+found/" + std::to_string(version))), "precious");
}

TEST_F(RebuildTest, TheNewestOfTwoBodiesHasTheName) {
  auto const old = Row(MakeFile("f", "old")).version;
  auto const path = PathOfVersion(old);
  std::filesystem::create_hard_link(path, dir_ / "saved");
  describer_->Catch();
  SetSize(InodeOf("f"), 0);
  auto const handle = Open(InodeOf("f"), O_WRONLY);
  Write(handle, 0, "new");
  EXPECT_TRUE(Ok(store_->Sync()));
  ASSERT_TRUE(tusfs_testing::WaitFor([&] { return !std::filesystem::exists(path); }));
  std::filesystem::rename(dir_ / "saved", path);  // a power cut had brought it back
  LoseTheCatalog();
  EXPECT_EQ(BytesOf(Resolve("f")), "new");
  EXPECT_EQ(BytesOf(Resolve("lost+found/" + std::to_string(old))), "old");
}

TEST_F(RebuildTest, NumbersOfVersionsAreNotUsedTwice) {
  auto const version = Row(MakeFile("f", "x")).version;
  LoseTheCatalog();
  EXPECT_GT(Row(MakeFile("g", "y")).version, version);
  EXPECT_EQ(BytesOf(Resolve("f")), "x");
}

}  // namespace
}  // namespace tusfs
