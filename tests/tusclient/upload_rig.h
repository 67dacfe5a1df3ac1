// What tests of Upload share: a scripted server, a clock that waiting moves, stores in memory.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "scripted_transport.h"
#include "tusclient/upload.h"

namespace tus {

class MemoryStore : public UrlStore {
 public:
  Result<std::optional<StoredUpload>> Find(std::string const& fingerprint) override {
    auto const found = uploads.find(fingerprint);
    if (found == uploads.end()) return std::nullopt;
    return found->second;
  }
  Result<void> Put(std::string const& fingerprint, StoredUpload const& upload) override {
    uploads[fingerprint] = upload;
    return {};
  }
  Result<void> Remove(std::string const& fingerprint) override {
    uploads.erase(fingerprint);
    return {};
  }

  std::map<std::string, StoredUpload> uploads;
};

/// A pipe whose writer is the test: what was written is there, nothing is waited for.
class ScriptedPipe : public GrowingSource {
 public:
  explicit ScriptedPipe(std::string bytes) : bytes_(std::move(bytes)) {}

  Result<std::size_t> ReadAt(std::uint64_t offset, std::span<std::byte> out) override {
    EXPECT_GE(offset, released_) << "these bytes were released";
    auto const text = std::string_view(bytes_).substr(0, end_).substr(offset, out.size());
    std::transform(text.begin(), text.end(), out.begin(), [](char c) { return std::byte(c); });
    return text.size();
  }
  Result<Extent> Await(std::uint64_t /*from*/, std::uint64_t end, std::chrono::milliseconds,
                       std::stop_token) override {
    end_ = std::max<std::size_t>(end_, std::min<std::size_t>(end, bytes_.size()));
    return Extent{.end = end_, .ended = end > bytes_.size()};
  }
  void Release(std::uint64_t offset) override { released_ = std::max(released_, offset); }
  [[nodiscard]] std::string Sha256() const override { return Sha256Of(bytes_.substr(0, end_)); }

  [[nodiscard]] static std::string Sha256Of(std::string const& bytes) {
    Hasher hasher(ChecksumAlgorithm::kSha256);
    hasher.Update(std::as_bytes(std::span(bytes)));
    return hasher.Digest();
  }
  [[nodiscard]] std::uint64_t released() const { return released_; }

 private:
  std::string bytes_;
  std::size_t end_ = 0;
  std::uint64_t released_ = 0;
};

class UploadRig : public testing::Test {
 protected:
  static constexpr auto kEndpoint = "http://tus:1080/files/";
  static constexpr auto kUrl = "http://tus:1080/files/u1";
  static constexpr auto kSecondUrl = "http://tus:1080/files/u2";

  ScriptedTransport transport_;
  Client client_{{.endpoint = kEndpoint}, transport_};
  MemoryStore store_;
  std::string const bytes_ = "0123456789";
  MemorySource source_{std::as_bytes(std::span(bytes_))};
  std::chrono::steady_clock::time_point now_{};
  std::vector<std::string> retries_;   // their errors
  std::vector<std::string> restarts_;  // their reasons
  std::chrono::milliseconds waited_{};

  /// Chunks of 4 bytes, no jitter, no real time.
  static ChunkRules SmallChunks() { return {.size = 4}; }
  ServerProfile profile_{SmallChunks()};

  UploadOptions Options() {
    UploadOptions options;
    options.fingerprint = "f";
    options.store = &store_;
    options.profile = &profile_;
    options.on_retry = [this](Error const& error, std::chrono::milliseconds) {
      retries_.push_back(error.message);
    };
    options.on_restart = [this](std::string const& why) { restarts_.push_back(why); };
    options.random = [] { return 1.0; };
    options.now = [this] { return now_; };
    options.wait = [this](std::chrono::milliseconds time, std::stop_token const&) {
      now_ += time;
      waited_ += time;
    };
    return options;
  }

  /// The server announced this before.
  void Announce(ServerInfo info) { profile_.Announced(info); }

  Result<Receipt> Send() { return Send(Options()); }
  Result<Receipt> Send(UploadOptions options) {
    return Upload(client_, std::move(options)).Send(source_, bytes_.size());
  }
  Result<Receipt> SendPipe(ScriptedPipe& pipe) { return Upload(client_, Options()).Send(pipe); }

  void ExpectCreation(std::string url = kUrl) {
    transport_.Next("POST", kEndpoint, TusAnswer(201, {{"Location", std::move(url)}}));
  }

  /// A PATCH of `body` at `offset` that is answered with `answer`.
  void ExpectPatch(std::uint64_t offset, std::string body, Result<HttpResponse> answer,
                   std::string const& url = kUrl) {
    transport_.Next(
        "PATCH", url,
        [offset, body = std::move(body), answer = std::move(answer)](HttpRequest const& request) {
          EXPECT_EQ(HeaderOf(request, "Upload-Offset"), std::to_string(offset));
          EXPECT_EQ(BodyOf(request), body);
          return answer;
        });
  }
  /// … and that arrives in full.
  void ExpectPatch(std::uint64_t offset, std::string const& body, std::string const& url = kUrl) {
    ExpectPatch(offset, body, At(offset + body.size()), url);
  }
  void ExpectHead(HttpResponse answer, std::string const& url = kUrl) {
    transport_.Next("HEAD", url, std::move(answer));
  }
  void ExpectHeadAt(std::uint64_t offset) {
    ExpectHead(TusAnswer(200, {{"Upload-Offset", std::to_string(offset)},
                               {"Upload-Length", std::to_string(bytes_.size())}}));
  }
  void ExpectOptions() {
    transport_.Next("OPTIONS", kEndpoint, TusAnswer(204, {{"Tus-Extension", "creation"}}));
  }

  [[nodiscard]] static HttpResponse At(std::uint64_t offset) {
    return TusAnswer(204, {{"Upload-Offset", std::to_string(offset)}});
  }
  [[nodiscard]] static Result<HttpResponse> Broken() {
    return tl::unexpected(Error{.code = ErrorCode::kInterrupted, .message = "the line is dead"});
  }
};

}  // namespace tus
