// The rooms together against a real HTTP server that misbehaves: whatever is published is what the
// file is, whole, and every file gets there.
#include <atomic>
#include <random>
#include <thread>

#include <gmock/gmock.h>

#include "filesystem/report.h"
#include "filesystem/rig.h"
#include "testing/fixture_server.h"

namespace tusfs {
namespace {

using testing::IsEmpty;
using tusfs_testing::Fault;
using tusfs_testing::FixtureServer;
using tusfs_testing::RandomBytes;
using tusfs_testing::RequestFacts;
using tusfs_testing::WaitFor;

constexpr std::size_t kLargestWrite = 300'000;

class Publish : public testing::Test {
 protected:
  Publish() { Mount(); }
  ~Publish() override { Unmount(); }

  void Mount() {
    spool_ = Spool::Open(dir_ / "spool").value();
    store_ = Store::Open(dir_ / "catalog", {}, logger_).value();
    auto const connection =
        Recover(*store_, *spool_, clock_,
                {.endpoint = server_.Url(), .boot_id = "boot", .uid = 0, .gid = 0}, logger_);
    ASSERT_TRUE(Ok(connection));
    UploaderOptions options;
    options.client.endpoint = server_.Url();
    options.transfers = 3;
    options.settle = std::chrono::milliseconds(20);
    options.chunks.size = 2 * Version::kGranule;
    options.transfer.patience = std::chrono::milliseconds(20);
    options.transfer.retry = {.base = std::chrono::milliseconds(5),
                              .max = std::chrono::milliseconds(40)};
    options.transfer.gone_after = std::chrono::milliseconds(20);
    options.make_transport = [] { return tus::MakeCurlTransport({}); };
    uploader_ = std::make_unique<Uploader>(options, *store_, *spool_, clock_, logger_);
    ASSERT_TRUE(Ok(uploader_->Start()));
    fs_ = std::make_unique<Filesystem>(*store_, *spool_, *uploader_, processes_, clock_,
                                       *connection, logger_);
  }

  void Unmount() {
    uploader_->Stop();
    fs_.reset();
    uploader_.reset();
    store_.reset();
    spool_.reset();
  }

  // Every `one_in`th request or so goes wrong in this way.
  void Sometimes(std::string const& method, unsigned one_in, Fault const& fault) {
    auto const count = std::make_shared<std::atomic<unsigned>>(0);
    server_.AddFault({.method = method,
                      .nth = 0,
                      .matches = [count, one_in](RequestFacts const&) {
                        return ++*count % one_in == 0;
                      },
                      .action = fault});
  }

  std::vector<std::string> Unfinished() {
    std::vector<std::string> left;
    auto const reports = Reporter(*store_, *spool_, *uploader_).Unfinished("");
    EXPECT_TRUE(Ok(reports));
    for (auto const& report : reports.value_or(std::vector<FileReport>{})) {
      left.push_back(report.path + " " + std::string(report.state) + " " + report.error);
    }
    return left;
  }

  std::string BytesOf(InodeId inode) {
    auto const size = fs_->GetAttributes(inode).value().size;
    auto const handle = fs_->Open(me_, inode, O_RDONLY).value();
    std::string bytes(size, '?');
    EXPECT_EQ(fs_->Read(handle, 0, std::as_writable_bytes(std::span(bytes))), size);
    EXPECT_TRUE(Ok(fs_->Release(handle)));
    return bytes;
  }

  // Compares each file with what the server published for it.
  void ExpectPublished() {
    EXPECT_TRUE(WaitFor([&] { return Unfinished().empty(); }, std::chrono::seconds(60)));
    ASSERT_THAT(Unfinished(), IsEmpty());
    std::vector<std::pair<std::string, InodeId>> files;
    ASSERT_TRUE(Ok(fs_->ReadDirectory(kRootInode, 2, [&](auto const& name, auto const& attributes,
                                                         auto) {
      files.emplace_back(name, attributes.inode);
      return true;
    })));
    std::map<std::string, bool> complete;
    for (auto const& upload : server_.Uploads()) complete[upload.id] = upload.complete;
    for (auto const& [name, inode] : files) {
      auto const upload = store_->Read([&, id = inode](View const& view) {
        return FindUpload(view, GetInode(view, id).value().upload);
      });
      ASSERT_TRUE(Ok(upload));
      ASSERT_TRUE(*upload) << name;
      auto const id = (*upload)->url.substr((*upload)->url.rfind('/') + 1);
      EXPECT_TRUE(complete[id]) << name;
      EXPECT_TRUE(server_.Content(id) == BytesOf(inode)) << name << " is published otherwise";
    }
    EXPECT_EQ(server_.Stats().overlapping_patches, 0);
    EXPECT_EQ(server_.Stats().heads_during_patch, 0);
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
      auto const bytes = RandomBytes(1 + random() % kLargestWrite, random());
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

  tusfs_testing::TempDir const dir_;
  SystemClock const clock_;
  Logger const logger_ = QuietLogger();
  FakeProcesses const processes_;
  Caller const me_{.uid = 0, .gid = 0, .pid = 100};
  FixtureServer server_;
  std::unique_ptr<Spool> spool_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Uploader> uploader_;
  std::unique_ptr<Filesystem> fs_;
};

TEST_F(Publish, FilesThatAreRewrittenRenamedAndCutWhileTheyAreSentArePublishedAsTheyAre) {
  KeepBusy(300);
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
  EXPECT_EQ(server_.Stats().received_bytes, bytes.size()) << "no byte is sent twice";
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
    auto const row = store_->Read(
        [&](View const& view) { return GetInode(view, created.attributes.inode); });
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

}  // namespace
}  // namespace tusfs
