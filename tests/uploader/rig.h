// A file in a catalog and a spool, and one Transfer with a scripted server.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fakes.h"
#include "catalog/namespace.h"
#include "catalog/store_harness.h"
#include "catalog/tables.h"
#include "spool/spool.h"
#include "testing/files.h"
#include "tusclient/scripted_transport.h"
#include "uploader/transfer.h"

namespace tusfs {

constexpr auto kEndpoint = "http://tus:1080/files/";
constexpr auto kUrl = "http://tus:1080/files/one";
constexpr auto kSecondUrl = "http://tus:1080/files/two";
constexpr std::uint64_t kGranule = Version::kGranule;
constexpr InodeId kFile = 10;

/// Two granules a PATCH; more of finished files, on a network that was measured and is fast.
inline EndpointOptions SmallChunks() {
  return {.url = kEndpoint, .chunks = {.size = 2 * kGranule, .longer = 64 * kGranule}, .retry = {}};
}

inline tus::HttpResponse CreatedAt(std::string const& url) {
  return tus::TusAnswer(201, {{"Location", url}});
}

inline tus::HttpResponse OffsetIs(std::uint64_t offset) {
  return tus::TusAnswer(204, {{"Upload-Offset", std::to_string(offset)}});
}

inline tus::HttpResponse HeadAnswer(std::uint64_t offset, std::optional<std::uint64_t> length) {
  std::vector<tus::Header> headers{{"Upload-Offset", std::to_string(offset)}};
  if (length) {
    headers.push_back({"Upload-Length", std::to_string(*length)});
  } else {
    headers.push_back({"Upload-Defer-Length", "1"});
  }
  return tus::TusAnswer(200, std::move(headers));
}

inline tus::Result<tus::HttpResponse> Broken(tus::ErrorCode code) {
  return tl::unexpected(
      tus::Error{.code = code, .http_status = 0, .retry_after = {}, .message = "it broke"});
}

class TransferRig : public testing::Test {
 protected:
  using Script = tus::ScriptedTransport::Step;

  /// `announces`: whether OPTIONS tells what the server is.
  explicit TransferRig(bool announces = true) {
    Inode root;
    root.id = kRootInode;
    root.type = FileType::kDirectory;
    root.links = 2;
    Inode file;
    file.id = kFile;
    file.links = 1;
    file.version = kFile;
    file.content = Content::kWriting;
    file.modified = clock_.Wall();
    auto const made = store_->Update([&](Transaction& transaction) -> Result<void> {
      AddEntry(transaction, root, "file.bin", file);
      PutInode(transaction, root);
      PutInode(transaction, file);
      return {};
    });
    EXPECT_TRUE(Ok(made));
    version_ = spool_->Create(kFile).value();
    if (announces) Announce("creation,creation-defer-length,termination");
  }

  // ---- the file

  /// Appends `size` bytes, as a writer does.
  void Append(std::uint64_t size) {
    auto const bytes = tusfs_testing::RandomBytes(size, body_.size() + 1);
    auto const written = version_->Write(body_.size(), std::as_bytes(std::span(bytes)));
    ASSERT_TRUE(Ok(written));
    ASSERT_FALSE(written->below_frontier);
    body_ += bytes;
  }

  void ChangeInode(std::function<void(Inode&)> const& change) {
    auto const done = store_->Update([&](Transaction& transaction) -> Result<void> {
      auto inode = GetInode(transaction, kFile);
      if (!inode) return Failure(inode.error());
      change(*inode);
      PutInode(transaction, *inode);
      return {};
    });
    ASSERT_TRUE(Ok(done));
  }

  void ChangeUpload(std::function<void(Upload&)> const& change) {
    auto upload = TheUpload();
    ASSERT_TRUE(upload);
    change(*upload);
    auto const done = store_->Update([&](Transaction& transaction) -> Result<void> {
      PutUpload(transaction, *upload);
      return {};
    });
    ASSERT_TRUE(Ok(done));
  }

  /// As the settler does when the writer has closed it.
  void FinishFile() {
    ChangeInode([this](Inode& inode) {
      inode.content = Content::kFinished;
      inode.size = inode.synced_size = body_.size();
    });
  }

  void RenameTo(std::string const& name) {
    auto const done = store_->Update([&](Transaction& transaction) -> Result<void> {
      auto root = GetInode(transaction, kRootInode);
      auto inode = GetInode(transaction, kFile);
      auto const entry = FindEntry(transaction, kRootInode, inode->name);
      auto const removed =
          RemoveEntry(transaction, kRootInode, std::string(inode->name), **entry, *inode);
      if (!removed) return removed;
      AddEntry(transaction, *root, name, *inode);
      PutInode(transaction, *root);
      PutInode(transaction, *inode);
      return {};
    });
    ASSERT_TRUE(Ok(done));
  }

  [[nodiscard]] Inode TheInode() const {
    auto inode = store_->Read([](View const& view) { return GetInode(view, kFile); });
    EXPECT_TRUE(Ok(inode));
    return inode.value_or(Inode{});
  }

  [[nodiscard]] std::vector<Upload> Uploads() const { return Uploads(*store_); }
  [[nodiscard]] static std::vector<Upload> Uploads(Store const& store) {
    return store.Read([](View const& view) { return ListUploads(view); }).value();
  }

  /// The file's own upload.
  [[nodiscard]] std::optional<Upload> TheUpload() const {
    auto const id = TheInode().upload;
    return store_->Read([&](View const& view) { return FindUpload(view, id); }).value();
  }

  /// The uploads that a successor would find after a power cut now.
  [[nodiscard]] std::vector<Upload> UploadsAfterPowerCut() {
    auto const copy = dir_ / ("copy" + std::to_string(copies_++));
    CopyAsAfterPowerCut(*store_, dir_ / "catalog", copy);
    return Uploads(*OpenStore(copy));
  }

  // ---- the server

  void Announce(std::string const& extensions, std::vector<tus::Header> more = {}) {
    more.push_back({"Tus-Version", "1.0.0"});
    more.push_back({"Tus-Extension", extensions});
    server_->Next("OPTIONS", kEndpoint, tus::TusAnswer(204, std::move(more)));
    ASSERT_EQ(endpoint_.Enter().gate, Endpoint::Gate::kProbe);
    transfer_->Probe({});
    ASSERT_TRUE(endpoint_.state().reachable);
  }

  void Next(std::string const& method, std::string const& url,
            tus::Result<tus::HttpResponse> answer) {
    server_->Next(method, url, std::move(answer));
  }
  void Next(std::string const& method, std::string const& url, Script step) {
    server_->Next(method, url, std::move(step));
  }

  /// A PATCH of the file's bytes [begin, end) that the server takes whole. `length`: what it has to
  /// declare, "(none)" for nothing.
  void NextPatch(std::string const& url, std::uint64_t begin, std::uint64_t end,
                 std::string const& length) {
    Next("PATCH", url, [this, begin, end, length](tus::HttpRequest const& request) {
      ExpectBytes(request, begin, end, length);
      return OffsetIs(end);
    });
  }

  void ExpectBytes(tus::HttpRequest const& request, std::uint64_t begin, std::uint64_t end,
                   std::string const& length) {
    EXPECT_EQ(tus::HeaderOf(request, "Upload-Offset"), std::to_string(begin));
    EXPECT_EQ(tus::HeaderOf(request, "Upload-Length"), length);
    EXPECT_EQ(request.body_length, end - begin);
    if (request.body_length == end - begin) {
      EXPECT_TRUE(tus::BodyOf(request) == body_.substr(begin, end - begin)) << "other bytes";
    }
  }

  // ---- one step

  Transfer::Outcome Step(std::stop_token stop = {}) {
    return transfer_->Step({.inode = kFile, .upload = {}}, memory_, std::move(stop));
  }
  void Steps(int count) {
    for (int i = 0; i < count; ++i) static_cast<void>(Step());
  }
  Transfer::Outcome EndUpload(Uuid const& upload) {
    JobMemory memory;
    return transfer_->Step({.inode = 0, .upload = upload}, memory, {});
  }

  /// As after a restart: what only memory knew is gone.
  void Restart() {
    memory_ = {};
    version_.reset();
    version_ = spool_->Find(TheInode().version, TheInode().size).value();
  }

  [[nodiscard]] bool IsNow(std::optional<SteadyTime> const& when) const {
    return when && *when <= clock_.Steady();
  }

  tusfs_testing::TempDir const dir_;
  FakeClock clock_;
  Logger const logger_ = QuietLogger();
  std::unique_ptr<Spool> const spool_ = Spool::Open(dir_ / "spool").value();  // outlives the store
  std::unique_ptr<Store> const store_ =
      Store::Open(dir_ / "catalog", OnlyWhenAsked(), logger_).value();
  Endpoint endpoint_{SmallChunks(), [] { return 0.5; }, clock_, logger_};
  std::vector<Uuid> ownerless_;
  PublishRules rules_;
  Transfer::Shared shared_{.store = *store_,
                           .spool = *spool_,
                           .endpoint = endpoint_,
                           .url = kEndpoint,
                           .clock = clock_,
                           .logger = logger_,
                           .options = {},
                           .rules = rules_,
                           .random = [] { return 0.5; },
                           .terminate = [this](Uuid id) { ownerless_.push_back(id); }};
  tus::ScriptedTransport* server_ = new tus::ScriptedTransport;  // owned by transfer_
  std::unique_ptr<Transfer> const transfer_ =
      std::make_unique<Transfer>(shared_, tus::ClientOptions{.endpoint = kEndpoint},
                                 std::unique_ptr<tus::HttpTransport>(server_));
  JobMemory memory_;
  std::shared_ptr<Version> version_;
  std::string body_;
  int copies_ = 0;
};

}  // namespace tusfs
