// The state machine behind Upload::Send: what to ask or send next, and what an answer leads to.
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

  /// Bytes [begin, end) of the source.
  struct Range {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    bool last = false;  ///< completes the upload
  };

  Result<void> Recall();
  Result<void> Step();
  Result<void> AskServer();
  Result<void> Create();
  Result<void> Ask();
  Result<void> Reconcile(UploadStatus const& status);
  Result<void> CompareReplayed();
  Result<Range> NextRange();
  Result<Range> NextRangeOfGrowing(std::uint64_t chunk);
  Result<void> SendChunk();
  Result<void> Confirmed(Range const& range, Patched answer);

  /// What ends the call; nothing where it goes on.
  std::optional<Error> Handle(Error const& error);
  std::optional<Error> Gone(Error const& error);
  std::optional<Error> Mismatch(Error const& error);
  std::optional<Error> Refused(Error const& error);
  std::optional<Error> Retry(Error const& error, std::chrono::milliseconds least = {});
  /// kSource where bytes would be needed that cannot be read again.
  std::optional<Error> StartOver(std::string const& why);
  Result<void> StartOverOrFail(std::string const& why);

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
  std::uint64_t offset_ = 0;    ///< the server's word, in kReady
  std::uint64_t frontier_ = 0;  ///< end of the bytes that the server can have
  std::uint64_t released_ = 0;  ///< bytes of a growing source that cannot be read again
  std::uint64_t best_ = 0;      ///< most bytes that were ever confirmed
  bool replayed_ = true;        ///< a growing source was compared with what was sent of it before
  std::string idempotency_key_;

  std::uint64_t last_body_ = 0;  ///< length of the body that was sent last
  bool last_had_checksum_ = false;
  int mismatches_ = 0;                             ///< in a row
  int lock_timeouts_ = 0;                          ///< in a row
  std::chrono::steady_clock::time_point asked_{};  ///< when the last request began
  std::optional<std::chrono::steady_clock::time_point> gone_since_;
  Receipt receipt_;
};

}  // namespace tus
