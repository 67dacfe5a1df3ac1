// The doing behind Upload::Send: carries out what the judge (judge.h) makes of each answer.
//
//     no URL ──create──► ready ──send a chunk──► ready … ──the last one──► complete
//        ▲                 ▲  └─any failure──► unknown
//        └──start over─────┴──────ask (HEAD)──────┘
//
// Lives as long as one call of Upload::Send, and is used by its thread only.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>

#include "pacer.h"
#include "tusclient/client.h"
#include "tusclient/judge.h"
#include "tusclient/upload.h"

namespace tus {

class Sending {
 public:
  /// Everything outlives it. `growing` is `source`, where that has no known end yet; else `length`
  /// is set.
  Sending(Client& client, ServerProfile& profile, UploadOptions const& options, DataSource& source,
          GrowingSource* growing, std::optional<std::uint64_t> length, std::stop_token stop);

  [[nodiscard]] Result<Receipt> Run();

 private:
  enum class State { kNoUrl, kUnknown, kReady, kComplete };

  Result<void> Recall();
  Result<void> TakeUp(std::string const& url);
  Result<void> Step();
  Result<void> AskServer();
  Result<void> Create();
  Result<void> Ask();
  Result<void> TakeStatus(UploadStatus const& status);
  Result<void> CompareReplayed();
  Result<SentRange> NextRange();
  Result<SentRange> NextRangeOfGrowing(std::uint64_t chunk);
  Result<void> SendChunk();
  Result<void> Confirmed(Patched const& answer);

  /// `error`: what came back, where it was one. An error ends the call.
  Result<void> CarryOut(Judgement const& judgement, Error const* error);
  Result<void> Pause(Judgement const& judgement, Error const& error);
  /// Whether an upload that is not found now was not there before either (UploadFacts::is_missed).
  Result<bool> IsMissed();
  /// Of a request that creates, or asks what the server is.
  Result<void> Trouble(Error const& error);
  Result<void> Retry(Error const& error, std::chrono::milliseconds least = {});
  Result<void> StartOver(Judgement const& judgement, Error const* error);

  [[nodiscard]] bool Remembers() const;
  [[nodiscard]] std::string const& StoreKey() const;
  Result<void> Remember();
  Result<void> Forget();
  void Complete(std::vector<Header> headers, std::string body);
  [[nodiscard]] std::function<void(std::uint64_t)> CountSent(std::uint64_t from);

  Client& client_;
  ServerProfile& profile_;
  UploadOptions const& options_;
  DataSource& source_;
  GrowingSource* const growing_;
  std::stop_token const stop_;
  Pacer pacer_;

  State state_ = State::kNoUrl;
  bool asked_server_ = false;
  std::optional<std::uint64_t> length_;  ///< of the whole upload, as soon as it is known
  StoredUpload stored_;
  UploadFacts facts_;
  bool replayed_ = true;  ///< a growing source was compared with what was sent of it before
  std::string idempotency_key_;
  int taken_ = 0;                ///< creations in a row that something was in the way of
  std::uint64_t last_body_ = 0;  ///< length of the body that was sent last
  std::optional<std::chrono::steady_clock::time_point> gone_since_;
  Receipt receipt_;
};

}  // namespace tus
