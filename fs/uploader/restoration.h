// Brings all bytes of one uploaded file back into the spool, in one go.
//
// Made by ReadBack for one download thread, which calls Run once; Cancel comes from anywhere. When
// Run has succeeded the file has a version whose bytes are on disk; the commit that says so becomes
// durable with the next one. A crash before leaves a spool file that the next start removes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>

#include "base/clock.h"
#include "base/logger.h"
#include "base/mutex.h"
#include "spool/spool.h"
#include "uploader/fetch.h"

namespace tusfs {

class Restoration final : private BlockSink {
 public:
  struct Shared {
    Store& store;
    Spool& spool;
    Clock const& clock;
    Logger logger;
    FetchRetry retry;
  };

  /// `shared` outlives it.
  Restoration(Shared const& shared, Remote remote) : shared_(shared), remote_(std::move(remote)) {}

  /// Errors: EIO with a sentence, ESTALE where the file was changed meanwhile, ENOSPC, ECANCELED.
  [[nodiscard]] Result<void> Run(tus::Client& client);

  /// Ends Run within 100 ms.
  void Cancel() EXCLUDES(mutex_);

 private:
  bool Wants(std::uint64_t block) override;
  Result<void> Write(std::uint64_t offset, std::span<std::byte const> bytes) override;
  void Arrived(std::uint64_t block) override;

  [[nodiscard]] Result<void> Create();
  [[nodiscard]] Result<void> Download(tus::Client& client);
  [[nodiscard]] Result<void> Adopt();
  void Discard();
  void Wait(std::chrono::milliseconds delay) EXCLUDES(mutex_);

  Shared const& shared_;
  Remote const remote_;
  std::stop_source stop_;
  std::shared_ptr<Version> version_;
  VersionId id_ = 0;
  std::uint64_t next_ = 0;  ///< first block that has not arrived
  Mutex mutex_ ACQUIRED_AFTER(lock_order::kBehindChanges)
      ACQUIRED_BEFORE(lock_order::kBehindLeaves);
  CondVar cancelled_;
};

}  // namespace tusfs
