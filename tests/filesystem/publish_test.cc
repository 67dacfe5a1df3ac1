// The rooms together against a real HTTP server that misbehaves: whatever is published is what the
// file is, whole, and every file gets there.
#include <atomic>
#include <random>
#include <thread>

#include "filesystem/publishing_rig.h"

namespace tusfs {
namespace {

constexpr std::size_t kLargestWrite = 300'000;
/// So few that the same bytes come again, under the same name too.
constexpr unsigned kBodies = 3;

class Publish : public PublishingRig {
 protected:
  explicit Publish(std::chrono::milliseconds adopt_timeout = {}) {
    adopt_timeout_ = adopt_timeout;
    Mount();
  }

  // Every `one_in`th request or so goes wrong in this way.
  void Sometimes(std::string const& method, unsigned one_in, Fault const& fault) {
    auto const count = std::make_shared<std::atomic<unsigned>>(0);
    server_.AddFault(
        {.method = method,
         .nth = 0,
         .matches = [count, one_in](RequestFacts const&) { return ++*count % one_in == 0; },
         .action = fault});
  }

  // One random thing to one of a few files, as programs do it.
  void DoSomething(std::mt19937_64& random) {
    auto const name = "file" + std::to_string(random() % 5);
    auto const found = fs_->Lookup(kRootInode, name);
    if (!found) {
      auto const created = fs_->Create(me_, kRootInode, name, 0644, O_RDWR);
      if (created) WriteAndClose(created->handle, random, 0);
      return;
    }
    auto const size = found->size;
    switch (random() % 8) {
      case 0:
        static_cast<void>(fs_->Unlink(me_, kRootInode, name));
        break;
      case 1:
        static_cast<void>(fs_->Rename(me_, kRootInode, name, kRootInode,
                                      "file" + std::to_string(random() % 7), 0));
        break;
      case 2: {
        AttributeChange change;
        change.size = random() % (size + 1000);
        static_cast<void>(fs_->SetAttributes(me_, found->inode, change, 0));
        break;
      }
      case 3:
        if (auto const handle = fs_->Open(me_, found->inode, O_RDWR | O_TRUNC)) {
          WriteAndClose(*handle, random, 0);
        }
        break;
      default:
        if (auto const handle = fs_->Open(me_, found->inode, O_RDWR)) {
          WriteAndClose(*handle, random, random() % 2 == 0 ? size : random() % (size + 1));
        }
    }
  }

  void WriteAndClose(HandleId handle, std::mt19937_64& random, std::uint64_t offset) {
    for (auto writes = random() % 4; writes > 0 && offset < 2'000'000; --writes) {
      auto const bytes = RandomBytes(1 + random() % kLargestWrite, random() % kBodies);
      EXPECT_TRUE(Ok(fs_->Write(me_, handle, offset, std::as_bytes(std::span(bytes)))));
      offset += bytes.size();
    }
    EXPECT_TRUE(Ok(fs_->Flush(me_, handle)));
    EXPECT_TRUE(Ok(fs_->Release(handle)));
  }

  void KeepBusy(int operations) {
    auto const seed = std::random_device{}();
    RecordProperty("seed", std::to_string(seed));
    std::vector<std::jthread> threads;
    for (unsigned t = 0; t < 2; ++t) {
      threads.emplace_back([this, seed, t, operations] {
        std::mt19937_64 random(seed + t);
        for (int i = 0; i < operations; ++i) DoSomething(random);
      });
    }
  }
};

class PublishAndAdopt : public Publish {
 protected:
  PublishAndAdopt() : Publish(std::chrono::hours(1)) {}
};

TEST_F(Publish, FilesThatAreRewrittenRenamedAndCutWhileTheyAreSentArePublishedAsTheyAre) {
  KeepBusy(300);
  ExpectPublished();
}

TEST_F(PublishAndAdopt, FilesThatComeAgainArePublishedAsTheyAre) {
  KeepBusy(300);
  ExpectPublished();
}

TEST_F(PublishAndAdopt, FilesThatComeAgainToABadServerArePublishedAsTheyAre) {
  Sometimes("PATCH", 5, Fault::CutAfter(100'000));
  Sometimes("PATCH", 7, Fault::LoseAnswer());
  Sometimes("PATCH", 6, Fault::ShortOffset(70'001));
  Sometimes("HEAD", 6, Fault::Answer(500));
  KeepBusy(150);
  server_.ClearFaults();
  ExpectPublished();
}

TEST_F(Publish, AServerThatCutsLosesAndShortensGetsEveryFileWhole) {
  Sometimes("PATCH", 5, Fault::CutAfter(100'000));
  Sometimes("PATCH", 7, Fault::LoseAnswer());
  Sometimes("PATCH", 6, Fault::ShortOffset(70'001));
  Sometimes("PATCH", 8, Fault::Answer(503));
  Sometimes("HEAD", 6, Fault::Answer(500));
  Sometimes("POST", 7, Fault::LoseAnswer());
  Sometimes("", 31, Fault::AnswerWithoutTusResumable());
  KeepBusy(150);
  server_.ClearFaults();
  ExpectPublished();
}

TEST_F(Publish, AFileIsPublishedOnceThoughTheAnswerWasLost) {
  Sometimes("PATCH", 1, Fault::LoseAnswer());
  auto const created = fs_->Create(me_, kRootInode, "clip", 0644, O_WRONLY).value();
  std::string const bytes = RandomBytes(100'000);
  ASSERT_TRUE(Ok(fs_->Write(me_, created.handle, 0, std::as_bytes(std::span(bytes)))));
  ASSERT_TRUE(Ok(fs_->Flush(me_, created.handle)));
  ASSERT_TRUE(Ok(fs_->Release(created.handle)));
  ExpectPublished();
  EXPECT_EQ(server_.Stats().published, 1);
  EXPECT_EQ(server_.Stats().received_bytes, bytes.size());
}

TEST_F(Publish, ARemountGoesOnWhereTheServerIs) {
  auto const created = fs_->Create(me_, kRootInode, "clip", 0644, O_WRONLY).value();
  std::string const bytes = RandomBytes(2'000'000);
  server_.SetRate(2'000'000);
  ASSERT_TRUE(Ok(fs_->Write(me_, created.handle, 0, std::as_bytes(std::span(bytes)))));
  ASSERT_TRUE(Ok(fs_->Flush(me_, created.handle)));
  ASSERT_TRUE(Ok(fs_->Release(created.handle)));
  ASSERT_TRUE(WaitFor([&] { return server_.Stats().received_bytes > 600'000; }));
  Unmount();
  server_.SetRate(0);
  Mount();
  ExpectPublished();
  EXPECT_EQ(server_.Stats().published, 1);
  // Of a body with a checksum that is cut the server keeps nothing.
  EXPECT_LE(server_.Stats().received_bytes, bytes.size() + 2 * Version::kGranule);
}

TEST_F(Publish, TruncationsInARowNeverFailAFile) {
  auto const created = fs_->Create(me_, kRootInode, "clip", 0644, O_WRONLY).value();
  std::string const bytes = RandomBytes(100'000);
  ASSERT_TRUE(Ok(fs_->Write(me_, created.handle, 0, std::as_bytes(std::span(bytes)))));
  ASSERT_TRUE(Ok(fs_->Flush(me_, created.handle)));
  ASSERT_TRUE(Ok(fs_->Release(created.handle)));
  for (std::uint64_t size = 99'000; size > 20'000; size -= 1000) {
    AttributeChange change;
    change.size = size;
    ASSERT_TRUE(Ok(fs_->SetAttributes(me_, created.attributes.inode, change, 0)));
    auto const row =
        store_->Read([&](View const& view) { return GetInode(view, created.attributes.inode); });
    ASSERT_NE(row.value().content, Content::kFailed) << row->reason;
  }
  ExpectPublished();
}

TEST_F(Publish, WhatComesOutOfAnIgnoredDirectoryIsPublished) {
  auto const trash = fs_->MakeDirectory(me_, kRootInode, ".Trash-1000", 0755).value();
  for (std::string const name : {"clip", "other"}) {
    auto const created = fs_->Create(me_, trash.inode, name, 0644, O_WRONLY).value();
    ASSERT_TRUE(Ok(fs_->Write(me_, created.handle, 0, std::as_bytes(std::span(name)))));
    ASSERT_TRUE(Ok(fs_->Flush(me_, created.handle)));
    ASSERT_TRUE(Ok(fs_->Release(created.handle)));
  }
  ASSERT_TRUE(Ok(fs_->Rename(me_, trash.inode, "clip", kRootInode, "clip", 0)));
  ASSERT_TRUE(WaitFor([&] { return server_.Stats().published == 1; }));
  ASSERT_TRUE(Ok(fs_->Rename(me_, kRootInode, ".Trash-1000", kRootInode, "restored", 0)));
  EXPECT_TRUE(WaitFor([&] { return server_.Stats().published == 2; }));
  EXPECT_TRUE(WaitFor([&] { return Unfinished().empty(); }));
}

TEST_F(Publish, AStubThatIsRenamedStaysUploaded) {
  auto const copy = [&](std::string const& name) {
    auto const file = fs_->Create(me_, kRootInode, name, 0644, O_WRONLY).value();
    ASSERT_TRUE(Ok(fs_->Write(me_, file.handle, 0, std::as_bytes(std::span("some bytes")))));
    ASSERT_TRUE(Ok(fs_->Flush(me_, file.handle)));
    ASSERT_TRUE(Ok(fs_->Release(file.handle)));
    EXPECT_TRUE(WaitFor([&] { return Unfinished().empty(); }));
  };
  copy("old name");
  auto const inode = fs_->Lookup(kRootInode, "old name")->inode;
  ASSERT_TRUE(fs_->shrinker().Evict(inode).value_or(false));
  ASSERT_TRUE(Ok(fs_->Rename(me_, kRootInode, "old name", kRootInode, "new name", 0)));
  copy("marker");  // the uploader has looked at the new name before this one
  auto const report = Reporter(*store_, *spool_, *uploader_, *finishing_).Describe(inode);
  ASSERT_TRUE(Ok(report));
  EXPECT_EQ(report->state, "uploaded");
  EXPECT_EQ(report->error, "uploaded as old name");
}

TEST_F(Publish, NothingOfARemovedFileIsLeftUnfinishedOnTheServer) {
  server_.SetRate(1'000'000);
  auto const created = fs_->Create(me_, kRootInode, "clip", 0644, O_WRONLY).value();
  std::string const bytes = RandomBytes(3'000'000);
  ASSERT_TRUE(Ok(fs_->Write(me_, created.handle, 0, std::as_bytes(std::span(bytes)))));
  ASSERT_TRUE(WaitFor([&] { return server_.Stats().received_bytes > 0; }));
  ASSERT_TRUE(Ok(fs_->Unlink(me_, kRootInode, "clip")));
  ASSERT_TRUE(Ok(fs_->Release(created.handle)));
  EXPECT_TRUE(WaitFor([&] { return server_.Uploads().empty(); }));
  EXPECT_EQ(server_.Stats().published, 0);
}

TEST_F(Publish, NothingOfAFileRemovedWhileItsUploadWasCreatedIsLeftOnTheServer) {
  server_.AddFault({.method = "POST", .action = Fault::StallUntilReleased()});
  auto const created = fs_->Create(me_, kRootInode, "clip", 0644, O_WRONLY).value();
  std::string const bytes = RandomBytes(1'000'000);
  ASSERT_TRUE(Ok(fs_->Write(me_, created.handle, 0, std::as_bytes(std::span(bytes)))));
  ASSERT_TRUE(WaitFor([&] { return server_.Stalled() == 1; }));
  ASSERT_TRUE(Ok(fs_->Unlink(me_, kRootInode, "clip")));
  ASSERT_TRUE(Ok(fs_->Release(created.handle)));
  server_.ReleaseStalled();
  EXPECT_TRUE(WaitFor([&] { return server_.Stats().deletes == 1; }));
  EXPECT_TRUE(server_.Uploads().empty());
  EXPECT_EQ(server_.Stats().published, 0);
}

}  // namespace
}  // namespace tusfs
