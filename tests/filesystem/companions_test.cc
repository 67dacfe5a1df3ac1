// Companions: files whose being there holds the one beside them back.
#include "filesystem/companions.h"

#include "filesystem/report.h"
#include "filesystem/rig.h"

namespace tusfs {
namespace {

class CompanionsTest : public FilesystemRig {
 protected:
  std::string Beside(InodeId inode) {
    return store_
        ->Read([&](View const& view) -> Result<std::string> {
          return CompanionOf(view, GetInode(view, inode).value()).value_or("");
        })
        .value();
  }
  /// Its quiet time passes; what is due settles.
  void Settle() {
    clock_.Advance(settle_);
    while (finishing_->SettleDue()) continue;
  }
};

TEST_F(CompanionsTest, DownloadersAndEditorsHaveTheirOwn) {
  auto const directory = MakeDir("d");
  for (auto const* name : {"film.mov.aria2", "film.mov.st", ".~lock.film.mov#"}) {
    auto const film = MakeFile("film.mov", "bytes", directory);
    EXPECT_EQ(Beside(film), "");
    MakeFile(name, "", kRootInode);
    EXPECT_EQ(Beside(film), "") << "in another directory";
    MakeFile(name, "", directory);
    EXPECT_EQ(Beside(film), name);
    EXPECT_TRUE(Ok(fs_->Unlink(me_, directory, name)));
    EXPECT_TRUE(Ok(fs_->Unlink(me_, directory, "film.mov")));
  }
}

TEST_F(CompanionsTest, AReservedNameWaitsForWhatIsWrittenForIt) {
  auto const film = MakeFile("film.mov");
  MakeFile("film.hK3pQ7Zx.mov.part", "half");
  MakeFile("other.hK3pQ7Zx.mov.part", "half");
  EXPECT_EQ(Beside(film), "film.hK3pQ7Zx.mov.part");
  EXPECT_TRUE(Ok(fs_->Unlink(me_, kRootInode, "film.hK3pQ7Zx.mov.part")));
  EXPECT_EQ(Beside(film), "");
}

TEST_F(CompanionsTest, AWholeFileDoesNotWaitForTheNextAttemptAtIt) {
  auto const film = MakeFile("film.mov", "the whole film");
  MakeFile("film.mov.part", "half");
  EXPECT_EQ(Beside(film), "");
  auto const longer = MakeFile("long.mov", "half");
  MakeFile("long.mov.part", "the whole film");
  EXPECT_EQ(Beside(longer), "long.mov.part");
}

TEST_F(CompanionsTest, TheFileIsFinishedWhenItsCompanionHasGone) {
  auto const film = MakeFile("film.mov", "bytes");
  MakeFile("film.mov.aria2", "what is there of it");
  Settle();
  EXPECT_EQ(Row(film).content, Content::kSettling);
  auto const report = Reporter(*store_, *spool_, *uploader_, *finishing_).Describe(film);
  ASSERT_TRUE(Ok(report));
  EXPECT_THAT(report->error, testing::HasSubstr("film.mov.aria2"));
  EXPECT_FALSE(report->finishes);
  EXPECT_TRUE(Ok(fs_->Unlink(me_, kRootInode, "film.mov.aria2")));
  Settle();
  EXPECT_EQ(Row(film).content, Content::kFinished);
}

TEST_F(CompanionsTest, SomebodysWordCountsForMore) {
  auto const film = MakeFile("film.mov", "bytes");
  MakeFile("film.mov.st", "what is there of it");
  ChangeRow(film, [](Inode& row) { row.approved = true; });
  Settle();
  EXPECT_EQ(Row(film).content, Content::kFinished);
}

}  // namespace
}  // namespace tusfs
