// The doing behind ParallelUpload::Send: parts over several clients at once, then the one request
// that joins and publishes them.
//
//     plan ──► send the parts, each as an Upload ──► on record: "may be joined" ──► join ──► forget
//                 ▲                                                                  │
//                 └──────── a part is not there any more ────────────────────────────┘
//
// Lives as long as one call of ParallelUpload::Send.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include "parts.h"
#include "tusclient/parallel_upload.h"

namespace tus {

/// Key of the record of whether the parts of `fingerprint` may have been joined.
[[nodiscard]] std::string JoinKey(std::string const& fingerprint);

class Joining {
 public:
  /// Everything outlives it. `options` has its clock, wait and profile; `parts` are two at least.
  Joining(std::vector<Client*> const& clients, ParallelOptions const& options, DataSource& source,
          std::vector<Part> parts, std::stop_token stop);

  [[nodiscard]] Result<Receipt> Run();

 private:
  /// What one part has come to; kept by its own thread until all have ended, but for the counters.
  struct State {
    std::string url;
    std::uint64_t sent = 0;       ///< bytes of it, as its on_sent said last
    std::uint64_t confirmed = 0;  ///< likewise
  };

  Result<void> SendParts();
  Result<void> SendPart(Client& client, std::size_t index, std::stop_token stop);
  Result<Receipt> SendOnce(Client& client, std::size_t index, std::stop_token stop);
  [[nodiscard]] UploadOptions OptionsOf(std::size_t index);
  void Count(std::uint64_t State::*counter, std::size_t index, std::uint64_t bytes,
             std::function<void(std::uint64_t)> const& tell);

  Result<Created> Join();
  Result<Created> JoinOnce();
  [[nodiscard]] Receipt MakeReceipt(Created created) const;

  [[nodiscard]] UrlStore* Store() const;
  [[nodiscard]] Result<void> Record(UploadFacts::End end);
  [[nodiscard]] Result<void> Forget(std::string const& key);
  [[nodiscard]] Result<void> ForgetParts();
  void DeleteParts();

  std::vector<Client*> const& clients_;
  ParallelOptions const& options_;
  DataSource& source_;
  std::vector<Part> const parts_;
  std::stop_token const stop_;
  std::string idempotency_key_;

  std::mutex mutex_;  ///< for the callbacks, and what follows
  std::vector<State> states_;
  std::uint64_t sent_ = 0;  ///< bytes that went over the wire
  bool resumed_ = false;
};

}  // namespace tus
