// LedgerKeeper: what the catalog says of files gets into the ledger, whatever dies in between.
#include "proof/ledger_keeper.h"

#include <atomic>

#include "catalog/adoptable.h"
#include "catalog/kept.h"
#include "catalog/namespace.h"
#include "catalog/proofs.h"
#include "catalog/store_harness.h"
#include "catalog/tables.h"
#include "proof/ledger_rows.h"
#include "testing/wait_for.h"

namespace tusfs {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::chrono::seconds kPatience{20};

class LedgerKeeperTest : public testing::Test {
 protected:
  template <typename Change>
  static void Update(Store& store, Change const& change) {
    auto const done =
        store.Update([&](Transaction& transaction) -> Result<void> { return change(transaction); });
    ASSERT_TRUE(Ok(done));
  }

  // A file of `size` bytes that is finished, with an upload whose digests are known.
  void MakeFinished(Store& store, std::string const& name, std::uint64_t size = 5) {
    Update(store, [&](Transaction& transaction) -> Result<void> {
      Inode root;
      root.id = kRootInode;
      root.type = FileType::kDirectory;
      root.links = 2;
      auto found = GetInode(transaction, kRootInode);
      if (found) root = *found;
      file_.id = 100 + ++made_;
      file_.links = 1;
      file_.size = size;
      file_.content = Content::kFinished;
      file_.upload = upload_.id = Uuid::Random();
      file_.parent = 0;
      file_.name.clear();
      upload_.owner = file_.id;
      upload_.path = name;
      AddEntry(transaction, root, name, file_);
      PutInode(transaction, root);
      PutInode(transaction, file_);
      PutUpload(transaction, upload_);
      BlockDigest const digest{.length = static_cast<std::uint32_t>(size), .digest = {1, 2, 3}};
      return PutDigests(transaction, upload_.id, 0, std::vector{digest});
    });
  }

  void Publish(Store& store, ProvedBy proved = ProvedBy::kOffset) {
    Update(store, [&](Transaction& transaction) -> Result<void> {
      auto const marked = MarkUploadedWithProof(transaction, file_, upload_, proved, clock_.Wall());
      if (marked) PutInode(transaction, file_);
      return marked;
    });
  }

  std::unique_ptr<LedgerKeeper> Keep(Store& store) {
    auto keeper = std::make_unique<LedgerKeeper>(store, ledger_, LedgerWriter::Options{}, clock_,
                                                 QuietLogger());
    keeper->Start();
    return keeper;
  }

  static std::vector<Proof> Waiting(Store const& store) {
    return store.Read([](View const& view) { return ListProofs(view, 1000); }).value();
  }

  SystemClock const clock_{};
  tusfs_testing::TempDir const dir_;
  std::filesystem::path const ledger_ = dir_ / "ledger";
  Inode file_;
  Upload upload_;
  InodeId made_ = 0;
};

TEST_F(LedgerKeeperTest, WhatIsUploadedGetsIntoTheLedgerWithItsBlocks) {
  auto const store = OpenStore(dir_ / "catalog");
  auto const keeper = Keep(*store);
  MakeFinished(*store, "clip.mov");
  Publish(*store);
  ASSERT_TRUE(Ok(keeper->Flush(kPatience)));
  int rows = 0;
  ASSERT_TRUE(Ok(VisitLedger(
      ledger_,
      [&](LedgerRow const& row) {
        ++rows;
        EXPECT_EQ(row.proof.path, "clip.mov");
        EXPECT_EQ(row.proof.fate, Fate::kUploaded);
        EXPECT_EQ(row.proof.upload, upload_.id);
        EXPECT_EQ(RootOf(BlocksOf(row)), row.proof.root);
        EXPECT_THAT(BlocksOf(row), SizeIs(1));
        return true;
      },
      [](LedgerDamage const&) { ADD_FAILURE(); })));
  EXPECT_EQ(rows, 1);
  EXPECT_THAT(Waiting(*store), IsEmpty()) << "the ledger has it";
}

TEST_F(LedgerKeeperTest, WhatASettlingFileBecomesHasNoProof) {
  auto const store = OpenStore(dir_ / "catalog");
  MakeFinished(*store, "a");
  file_.content = Content::kSettling;
  Publish(*store);
  EXPECT_EQ(file_.content, Content::kSettling);
  EXPECT_THAT(Waiting(*store), IsEmpty());
}

// The catalog after a kill between the ledger's write and the deletion of the proof.
TEST_F(LedgerKeeperTest, KilledBetweenTheTwoItIsWrittenAgainAndIsOneRow) {
  auto store = OpenStore(dir_ / "catalog");
  MakeFinished(*store, "a");
  Publish(*store);
  ASSERT_TRUE(Ok(store->Sync()));
  CopyAsAfterPowerCut(*store, dir_ / "catalog", dir_ / "killed");
  ASSERT_TRUE(Ok(Keep(*store)->Flush(kPatience)));
  auto const size = std::filesystem::file_size(ledger_ / "00000001.rows");
  auto const successor = OpenStore(dir_ / "killed");
  ASSERT_THAT(Waiting(*successor), SizeIs(1));
  ASSERT_TRUE(Ok(Keep(*successor)->Flush(kPatience)));
  EXPECT_GT(std::filesystem::file_size(ledger_ / "00000001.rows"), size);
  EXPECT_THAT(ReadAll(ledger_).paths, ElementsAre("a"));
}

TEST_F(LedgerKeeperTest, APowerCutLeavesAnUploadedFileAndItsProofOrNeither) {
  auto const store = OpenStore(dir_ / "catalog", OnlyWhenAsked());
  MakeFinished(*store, "a");
  ASSERT_TRUE(Ok(store->Sync()));
  Publish(*store);
  CopyAsAfterPowerCut(*store, dir_ / "catalog", dir_ / "before");
  ASSERT_TRUE(Ok(store->Sync()));
  CopyAsAfterPowerCut(*store, dir_ / "catalog", dir_ / "after");
  for (auto const& [copy, is_uploaded] : {std::pair{"before", false}, std::pair{"after", true}}) {
    auto const successor = OpenStore(dir_ / copy);
    auto const inode =
        successor->Read([&](View const& view) { return GetInode(view, file_.id); }).value();
    EXPECT_EQ(inode.content == Content::kUploaded, is_uploaded) << copy;
    EXPECT_THAT(Waiting(*successor), SizeIs(is_uploaded ? 1 : 0)) << copy;
  }
}

TEST_F(LedgerKeeperTest, WhatCannotBeWrittenStaysInTheCatalogUntilItCan) {
  tusfs_testing::WriteFile(ledger_, "in the way");
  auto const store = OpenStore(dir_ / "catalog");
  auto const keeper = Keep(*store);
  MakeFinished(*store, "a");
  Publish(*store);
  EXPECT_EQ(CodeOf(keeper->Flush(std::chrono::milliseconds(100))), ETIMEDOUT);
  EXPECT_THAT(Waiting(*store), SizeIs(1));
  std::filesystem::remove(ledger_);
  ASSERT_TRUE(Ok(keeper->Flush(kPatience)));
  EXPECT_THAT(ReadAll(ledger_).paths, ElementsAre("a"));
}

// As a release did that had no ledger.
TEST_F(LedgerKeeperTest, WhatWasUploadedBeforeThereWasALedgerIsInItOnce) {
  auto const store = OpenStore(dir_ / "catalog");
  MakeFinished(*store, "old");
  Update(*store, [&](Transaction& transaction) -> Result<void> {
    MarkUploaded(transaction, file_, clock_.Wall() - 1'000'000'000);
    PutInode(transaction, file_);
    upload_.phase = UploadPhase::kComplete;
    upload_.receipt = "ETag: 1";
    PutUpload(transaction, upload_);
    return {};
  });
  ASSERT_TRUE(Ok(Keep(*store)->Flush(kPatience)));
  EXPECT_THAT(ReadAll(ledger_).paths, ElementsAre("old"));
  ASSERT_TRUE(Ok(VisitLedger(
      ledger_,
      [&](LedgerRow const& row) {
        EXPECT_EQ(row.proof.proved, ProvedBy::kOffset);
        EXPECT_EQ(RootOf(BlocksOf(row)), row.proof.root);
        return true;
      },
      [](LedgerDamage const&) { ADD_FAILURE(); })));
  auto const size = std::filesystem::file_size(ledger_ / "00000001.rows");
  ASSERT_TRUE(Ok(Keep(*store)->Flush(kPatience)));
  EXPECT_EQ(std::filesystem::file_size(ledger_ / "00000001.rows"), size) << "once in its life";
}

TEST_F(LedgerKeeperTest, OfAnOldUploadWithoutAnAnswerNothingProvesIt) {
  auto const store = OpenStore(dir_ / "catalog");
  MakeFinished(*store, "old");
  Update(*store, [&](Transaction& transaction) -> Result<void> {
    MarkUploaded(transaction, file_, clock_.Wall() - 1'000'000'000);
    PutInode(transaction, file_);
    upload_.phase = UploadPhase::kComplete;
    PutUpload(transaction, upload_);
    return {};
  });
  ASSERT_TRUE(Ok(Keep(*store)->Flush(kPatience)));
  ASSERT_TRUE(Ok(VisitLedger(
      ledger_,
      [&](LedgerRow const& row) {
        EXPECT_EQ(row.proof.proved, ProvedBy::kNothing) << "a person may have accepted it";
        return true;
      },
      [](LedgerDamage const&) { ADD_FAILURE(); })));
  EXPECT_THAT(ReadAll(ledger_).paths, ElementsAre("old"));
}

TEST_F(LedgerKeeperTest, BlocksThatAreNotItsOwnAnyMoreAreLeftOutAndTheirRootIsNot) {
  auto const store = OpenStore(dir_ / "catalog");
  MakeFinished(*store, "a");
  Publish(*store);
  Update(*store, [&](Transaction& transaction) { return DeleteDigests(transaction, upload_.id); });
  ASSERT_TRUE(Ok(Keep(*store)->Flush(kPatience)));
  ASSERT_TRUE(Ok(VisitLedger(
      ledger_,
      [&](LedgerRow const& row) {
        EXPECT_THAT(BlocksOf(row), IsEmpty());
        EXPECT_THAT(row.proof.root, SizeIs(16));
        return true;
      },
      [](LedgerDamage const&) { ADD_FAILURE(); })));
}

TEST_F(LedgerKeeperTest, ManyAreWrittenInTheirOrderAndNoneIsLost) {
  auto const store = OpenStore(dir_ / "catalog");
  std::vector<std::string> expected;
  {
    auto const keeper = Keep(*store);
    for (int i = 0; i < 700; ++i) {
      expected.push_back("f" + std::to_string(i));
      MakeFinished(*store, expected.back());
      Publish(*store);
    }
  }
  EXPECT_THAT(ReadAll(ledger_).paths, testing::UnorderedElementsAreArray(expected))
      << "its end writes what there is";
}

TEST_F(LedgerKeeperTest, WhatComesOneBehindAnotherIsWrittenInFewRounds) {
  constexpr int kFiles = 40;
  auto const store = OpenStore(dir_ / "catalog");
  auto const keeper = Keep(*store);
  ASSERT_TRUE(Ok(keeper->Flush(kPatience)));
  std::atomic<int> operations = 0;
  store->WhenChanged([&] { ++operations; });
  for (int i = 0; i < kFiles; ++i) {
    MakeFinished(*store, "f" + std::to_string(i));
    Publish(*store);
  }
  EXPECT_TRUE(tusfs_testing::WaitFor([&] { return Waiting(*store).empty(); }))
      << "though nobody has asked for it";
  store->WhenChanged({});
  EXPECT_LT(operations - 2 * kFiles, kFiles / 4) << "a round is one operation";
}

}  // namespace
}  // namespace tusfs
