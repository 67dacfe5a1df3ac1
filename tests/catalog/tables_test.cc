// Tables: the index of unfinished work, and what happens to an upload that loses its file.
#include "catalog/tables.h"

#include <gmock/gmock.h>

#include <atomic>
#include <numeric>
#include <stop_token>
#include <thread>

#include "catalog/store_harness.h"
#include "testing/wait_for.h"

namespace tusfs {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class TablesTest : public testing::Test {
 protected:
  template <typename Change>
  auto Update(Change const& change) {
    auto const done = store_->Update([&](Transaction& transaction) -> Result<void> {
      change(transaction);
      return {};
    });
    ASSERT_TRUE(Ok(done));
  }

  void PutFile(InodeId id, Content content, Uuid const& upload = {}) {
    Inode inode;
    inode.id = id;
    inode.content = content;
    inode.upload = upload;
    Update([&](Transaction& transaction) { PutInode(transaction, inode); });
  }

  std::vector<InodeId> Work(InodeId after = 0, std::size_t limit = 100) {
    return store_->Read([&](View const& view) { return ListWork(view, after, limit); }).value();
  }

  std::vector<Upload> Uploads() {
    return store_->Read([](View const& view) { return ListUploads(view); }).value();
  }

  // Detaches the upload of a new file whose upload is in `phase`; returns what waits for an end.
  std::optional<Uuid> Detach(UploadPhase phase, std::string const& url) {
    Inode inode;
    inode.id = 9;
    inode.upload = Uuid::Random();
    Upload upload;
    upload.id = inode.upload;
    upload.owner = inode.id;
    upload.phase = phase;
    upload.url = url;
    std::optional<Uuid> ownerless;
    Update([&](Transaction& transaction) {
      PutUpload(transaction, upload);
      PutInode(transaction, inode);
    });
    Update([&](Transaction& transaction) {
      ownerless = DetachUpload(transaction, inode).value();
      PutInode(transaction, inode);
    });
    EXPECT_TRUE(inode.upload.IsNil());
    return ownerless;
  }

  tusfs_testing::TempDir const dir_;
  std::unique_ptr<Store> const store_ = OpenStore(dir_ / "catalog");
};

TEST_F(TablesTest, EveryFileThatIsNotUploadedIsWork) {
  PutFile(2, Content::kWriting);
  PutFile(3, Content::kUploaded);
  PutFile(4, Content::kInterrupted);
  PutFile(5, Content::kFailed);
  EXPECT_THAT(Work(), ElementsAre(2, 4, 5));
  PutFile(2, Content::kUploaded);
  PutFile(3, Content::kWriting);
  EXPECT_THAT(Work(), ElementsAre(3, 4, 5));
}

TEST_F(TablesTest, WorkIsListedInPages) {
  for (InodeId id = 2; id <= 6; ++id) PutFile(id, Content::kFinished);
  EXPECT_THAT(Work(0, 2), ElementsAre(2, 3));
  EXPECT_THAT(Work(3, 2), ElementsAre(4, 5));
  EXPECT_THAT(Work(5, 2), ElementsAre(6));
  EXPECT_THAT(Work(6, 2), IsEmpty());
}

TEST_F(TablesTest, WorkIsVisitedInOrderHoweverManyPagesItHas) {
  std::vector<InodeId> files;
  for (InodeId id = 2; id < 2 + 2 * kPage; ++id) files.push_back(id);
  for (auto const id : files) PutFile(id, Content::kFinished);
  std::vector<InodeId> visited;
  std::stop_source stop;
  auto const visit = [&](InodeId id) {
    visited.push_back(id);
    // Somebody may change the catalog meanwhile.
    PutFile(id, Content::kUploaded);
    if (visited.size() == files.size()) stop.request_stop();
  };
  ASSERT_TRUE(Ok(VisitWork(*store_, stop.get_token(), visit)));
  EXPECT_EQ(visited, files);
  visited.clear();
  PutFile(2, Content::kFinished);
  ASSERT_TRUE(Ok(VisitWork(*store_, stop.get_token(), visit)));
  EXPECT_THAT(visited, IsEmpty()) << "it was told to stop";
}

TEST_F(TablesTest, ADeletedInodeIsNoWork) {
  PutFile(2, Content::kWriting);
  Update([](Transaction& transaction) {
    Inode inode;
    inode.id = 2;
    EXPECT_TRUE(Ok(DeleteInode(transaction, inode)));
  });
  EXPECT_THAT(Work(), IsEmpty());
}

TEST_F(TablesTest, ADeletedInodeTakesItsExtendedAttributesAlong) {
  PutFile(2, Content::kWriting);
  PutFile(3, Content::kWriting);
  Update([](Transaction& transaction) {
    PutXattr(transaction, 2, "user.a", "");
    PutXattr(transaction, 2, "user.b", std::string("\0value", 6));
    PutXattr(transaction, 3, "user.a", "of another");
  });
  auto const names = [this](InodeId inode) {
    return store_->Read([&](View const& view) { return ListXattrs(view, inode); }).value();
  };
  EXPECT_THAT(names(2), testing::ElementsAre("user.a", "user.b"));
  Update([](Transaction& transaction) {
    Inode inode;
    inode.id = 2;
    EXPECT_TRUE(Ok(DeleteInode(transaction, inode)));
  });
  EXPECT_THAT(names(2), IsEmpty());
  EXPECT_THAT(names(3), testing::ElementsAre("user.a"));
}

TEST_F(TablesTest, InodesAreListedInPages) {
  for (InodeId const id : {2U, 300U, 4U, 70'000U}) PutFile(id, Content::kUploaded);
  auto const list = [&](InodeId after, std::size_t limit) {
    std::vector<InodeId> ids;
    auto const page =
        store_->Read([&](View const& view) { return ListInodes(view, after, limit); });
    for (auto const& inode : page.value()) ids.push_back(inode.id);
    return ids;
  };
  EXPECT_THAT(list(0, 3), ElementsAre(2, 4, 300));
  EXPECT_THAT(list(300, 3), ElementsAre(70'000));
  EXPECT_THAT(list(70'000, 3), IsEmpty());
}

TEST_F(TablesTest, EveryInodeIsVisitedOnceHoweverManyThereAre) {
  for (InodeId id = 2; id < 1200; ++id) PutFile(id, Content::kUploaded);
  std::vector<InodeId> seen;
  auto const visited =
      VisitInodes(*store_, {}, [&](View const&, Inode const& inode) -> Result<void> {
        seen.push_back(inode.id);
        return {};
      });
  EXPECT_TRUE(Ok(visited));
  std::vector<InodeId> expected(1198);
  std::iota(expected.begin(), expected.end(), 2);
  EXPECT_EQ(seen, expected);
}

TEST_F(TablesTest, AVisitLetsOthersInAndSeesWhatStays) {
  constexpr InodeId kLast = 1999;
  for (InodeId id = 2; id <= kLast; ++id) PutFile(id, Content::kUploaded);
  std::size_t seen = 0;
  // Whether another thread came to change the last file while the first ones had been visited.
  auto const others_get_in = [&] {
    PutFile(kLast, Content::kUploaded);
    std::atomic<bool> begun = false;
    std::jthread const other([&] {
      begun.wait(false);
      PutFile(1, Content::kWriting);
      PutFile(kLast, Content::kWriting);
    });
    seen = 0;
    Content last = Content::kUploaded;
    auto const visited =
        VisitInodes(*store_, {}, [&](View const&, Inode const& inode) -> Result<void> {
          if (!begun.exchange(true)) begun.notify_all();
          if (inode.id >= 2) ++seen;
          if (inode.id == kLast) last = inode.content;
          return {};
        });
    EXPECT_TRUE(Ok(visited));
    return last == Content::kWriting;
  };
  EXPECT_TRUE(tusfs_testing::WaitFor(others_get_in));
  EXPECT_EQ(seen, kLast - 1);
}

TEST_F(TablesTest, AVisitEndsAtAnErrorAndWhenItIsToldTo) {
  for (InodeId id = 2; id < 10; ++id) PutFile(id, Content::kUploaded);
  int calls = 0;
  auto const refuse = [&](View const&, Inode const&) -> Result<void> {
    ++calls;
    return Fail(ENOTSUP);
  };
  EXPECT_EQ(CodeOf(VisitInodes(*store_, {}, refuse)), ENOTSUP);
  EXPECT_EQ(calls, 1);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_TRUE(Ok(VisitInodes(*store_, stop.get_token(), refuse)));
  EXPECT_EQ(calls, 1);
}

// ---- replies

class Replies : public TablesTest {
 protected:
  void Put(std::uint32_t slot, std::uint64_t unique, HandleId handle) {
    Update([&](Transaction& transaction) {
      PutReply(transaction,
               {.slot = slot, .connection = 7, .unique = unique, .inode = 1, .handle = handle});
    });
  }

  // The handle that the request was answered with; nothing where there is no reply.
  std::optional<HandleId> Find(std::uint64_t connection, std::uint32_t slot, std::uint64_t unique) {
    auto const reply =
        store_->Read([&](View const& view) { return FindReply(view, connection, slot, unique); });
    EXPECT_TRUE(Ok(reply));
    if (!reply || !*reply) return std::nullopt;
    return (*reply)->handle;
  }
};

TEST_F(Replies, AreFoundByTheSlotAndTheNumberOfTheirRequest) {
  Put(0, 100, 1);
  Put(5, 102, 2);
  EXPECT_EQ(Find(7, 0, 100), 1U);
  EXPECT_EQ(Find(7, 5, 102), 2U);
  EXPECT_EQ(Find(7, 1, 100), std::nullopt);
  EXPECT_EQ(Find(7, 0, 102), std::nullopt) << "that one came in another slot";
}

TEST_F(Replies, OfAnotherConnectionAreNone) {
  Put(0, 100, 1);
  EXPECT_EQ(Find(8, 0, 100), std::nullopt);
}

TEST_F(Replies, MakeRoomForTheNextRequestOfTheirSlot) {
  Put(0, 100, 1);
  Put(0, 104, 2);
  EXPECT_EQ(Find(7, 0, 100), std::nullopt);
  EXPECT_EQ(Find(7, 0, 104), 2U);
}

// ---- uploads

TEST_F(TablesTest, AnUploadThatWasNeverMadeIsForgotten) {
  EXPECT_EQ(Detach(UploadPhase::kIntent, ""), std::nullopt);
  EXPECT_THAT(Uploads(), IsEmpty());
}

TEST_F(TablesTest, AnUnfinishedUploadBecomesOwnerless) {
  auto const ownerless = Detach(UploadPhase::kCreated, "http://tus/files/1");
  ASSERT_TRUE(ownerless);
  ASSERT_THAT(Uploads(), SizeIs(1));
  EXPECT_EQ(Uploads()[0].id, *ownerless);
  EXPECT_EQ(Uploads()[0].owner, 0U);
}

TEST_F(TablesTest, OwnerlessUploadsAreListedForAsLongAsTheyAreThatAndThere) {
  auto const list = [this] {
    return store_->Read([](View const& view) { return ListOwnerless(view); }).value();
  };
  Upload upload;
  upload.id = Uuid::Random();
  upload.owner = 7;
  auto const put = [&] {
    Update([&](Transaction& transaction) { PutUpload(transaction, upload); });
  };
  put();
  EXPECT_THAT(list(), IsEmpty());
  upload.owner = 0;
  put();
  EXPECT_THAT(list(), ElementsAre(upload.id));
  upload.owner = 8;
  put();
  EXPECT_THAT(list(), IsEmpty()) << "adopted";
  upload.owner = 0;
  put();
  Update([&](Transaction& transaction) { EXPECT_TRUE(Ok(DeleteUpload(transaction, upload))); });
  EXPECT_THAT(list(), IsEmpty()) << "terminated";
  auto const ownerless = Detach(UploadPhase::kCreated, "http://tus/files/1");
  ASSERT_TRUE(ownerless);
  EXPECT_THAT(list(), ElementsAre(*ownerless));
}

TEST_F(TablesTest, AnUploadWhoseFinalRequestIsOutIsAskedAboutBeforeItsEnd) {
  EXPECT_TRUE(Detach(UploadPhase::kFinalSent, "http://tus/files/1"));
  EXPECT_THAT(Uploads(), SizeIs(1));
}

TEST_F(TablesTest, APublishedUploadBelongsToTheIngest) {
  EXPECT_EQ(Detach(UploadPhase::kComplete, "http://tus/files/1"), std::nullopt);
  EXPECT_THAT(Uploads(), IsEmpty());
}

TEST_F(TablesTest, WhatIsNotThereIsSaidSo) {
  auto const inode = store_->Read([](View const& view) { return GetInode(view, 99); });
  auto const handle = store_->Read([](View const& view) { return GetHandle(view, 99); });
  auto const upload = store_->Read([](View const& view) { return FindUpload(view, Uuid{}); });
  EXPECT_EQ(CodeOf(inode), ENOENT);
  EXPECT_EQ(CodeOf(handle), EBADF);
  EXPECT_FALSE(upload.value());
}

TEST_F(TablesTest, NotesAndTotalsAreKept) {
  Update([](Transaction& transaction) {
    PutNote(transaction, "boot", "b");
    PutTotals(transaction, {.sent = 1, .resent = 2});
  });
  EXPECT_EQ(store_->Read([](View const& view) { return GetNote(view, "boot"); }), "b");
  EXPECT_EQ(store_->Read([](View const& view) { return GetNote(view, "other"); }), "");
  auto const totals = store_->Read([](View const& view) { return GetTotals(view); });
  EXPECT_EQ(totals.value().sent, 1U);
  EXPECT_EQ(totals.value().resent, 2U);
}

}  // namespace
}  // namespace tusfs
