// A file, and one Transfer with a scripted server.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tusclient/scripted_transport.h"
#include "uploader/file_rig.h"
#include "uploader/transfer.h"

namespace tusfs {

constexpr auto kEndpoint = "http://tus:1080/files/";
constexpr auto kUrl = "http://tus:1080/files/one";
constexpr auto kSecondUrl = "http://tus:1080/files/two";
constexpr std::uint64_t kGranule = Version::kGranule;

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

class TransferRig : public FileRig {
 protected:
  using Script = tus::ScriptedTransport::Step;

  /// `announces`: whether OPTIONS tells what the server is.
  explicit TransferRig(bool announces = true) {
    if (announces) Announce("creation,creation-defer-length,termination");
  }

  // ---- the file

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

  Endpoint endpoint_{SmallChunks(), [] { return 0.5; }, clock_, logger_};
  std::vector<Uuid> ownerless_;
  std::vector<Uuid> parts_;  ///< that were to be sent
  int nudged_ = 0;           ///< how often the file's own job was called
  InFlight in_flight_;
  Transfer::Shared shared_{.store = *store_,
                           .spool = *spool_,
                           .endpoint = endpoint_,
                           .url = kEndpoint,
                           .clock = clock_,
                           .logger = logger_,
                           .options = {},
                           .rules = rules_,
                           .random = [] { return 0.5; },
                           .terminate = [this](Uuid id) { ownerless_.push_back(id); },
                           .nudge = [this](InodeId) { ++nudged_; },
                           .send_part = [this](InodeId, Uuid id) { parts_.push_back(id); },
                           .in_flight = in_flight_};
  tus::ScriptedTransport* server_ = new tus::ScriptedTransport;  // owned by transfer_
  std::unique_ptr<Transfer> const transfer_ =
      std::make_unique<Transfer>(shared_, tus::ClientOptions{.endpoint = kEndpoint},
                                 std::unique_ptr<tus::HttpTransport>(server_));
  JobMemory memory_;
  int copies_ = 0;
};

}  // namespace tusfs
