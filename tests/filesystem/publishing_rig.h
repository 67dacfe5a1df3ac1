// The rooms together, from the filesystem to a real HTTP server that may misbehave.
#pragma once

#include <gmock/gmock.h>

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "filesystem/report.h"
#include "filesystem/rig.h"
#include "testing/fixture_server.h"

namespace tusfs {

using tusfs_testing::Fault;
using tusfs_testing::FixtureServer;
using tusfs_testing::RandomBytes;
using tusfs_testing::RequestFacts;
using tusfs_testing::WaitFor;

class PublishingRig : public testing::Test {
 protected:
  ~PublishingRig() override { Unmount(); }

  void Mount() {
    spool_ = Spool::Open(dir_ / "spool").value();
    store_ = Store::Open(dir_ / "catalog", {.journal_size = 1 << 20}, logger_).value();
    auto const connection =
        Recover(*store_, *spool_, clock_,
                {.endpoint = server_.Url(), .boot_id = "boot", .uid = 0, .gid = 0});
    ASSERT_TRUE(Ok(connection));
    UploaderOptions options;
    options.client.endpoint = server_.Url();
    options.transfers = 3;
    options.chunks.size = 2 * Version::kGranule;
    options.transfer.patience = std::chrono::milliseconds(20);
    options.transfer.retry = {.base = std::chrono::milliseconds(5),
                              .max = std::chrono::milliseconds(40)};
    options.transfer.gone_after = std::chrono::milliseconds(20);
    options.transfer.adopt_timeout = adopt_timeout_;
    options.make_transport = [] { return tus::MakeCurlTransport({}); };
    uploader_ = std::make_unique<Uploader>(options, rules_, *store_, *spool_, clock_, logger_);
    finishing_ = std::make_unique<Finishing>(
        FinishingOptions{.settle = {.quiet = std::chrono::milliseconds(20)}}, rules_, *store_,
        *spool_, clock_, [this](InodeId inode) { uploader_->Nudge(inode); }, logger_);
    ASSERT_TRUE(Ok(finishing_->Start()));
    ASSERT_TRUE(Ok(uploader_->Start()));
    fs_ = std::make_unique<Filesystem>(*store_, *spool_, *uploader_, *finishing_, processes_,
                                       clock_, *connection, logger_);
  }

  void Unmount() {
    if (finishing_) finishing_->Stop();
    if (uploader_) uploader_->Stop();
    fs_.reset();
    finishing_.reset();
    uploader_.reset();
    store_.reset();
    spool_.reset();
  }

  std::vector<std::string> Unfinished() {
    std::vector<std::string> left;
    auto const reports = Reporter(*store_, *spool_, *uploader_, *finishing_).Unfinished("");
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
    ASSERT_THAT(Unfinished(), testing::IsEmpty());
    std::vector<std::pair<std::string, InodeId>> files;
    ASSERT_TRUE(
        Ok(fs_->ReadDirectory(kRootInode, 2, [&](auto const& name, auto const& attributes, auto) {
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

  std::chrono::milliseconds adopt_timeout_{0};
  tusfs_testing::TempDir const dir_;
  SystemClock const clock_{};
  Logger const logger_ = QuietLogger();
  FakeProcesses const processes_{};
  Caller const me_{.uid = 0, .gid = 0, .pid = 100};
  PublishRules const rules_{};
  FixtureServer server_;
  std::unique_ptr<Spool> spool_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Uploader> uploader_;
  std::unique_ptr<Finishing> finishing_;
  std::unique_ptr<Filesystem> fs_;
};

}  // namespace tusfs
