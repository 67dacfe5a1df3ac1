// Brings the proofs of the catalog (catalog/proofs.h) into the ledger's files: what is there has
// been durable in the catalog before, and goes from there when it is on disk here.
//
// One thread of its own, from Start to Stop, which gathers for a moment what comes, unless somebody
// waits for it. A disk that is full or fails is tried again each second, and whatever is not
// written stays in the catalog. Calls may come from any thread; the store's observer notes that
// there is something, and returns.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>
#include <thread>

#include "base/clock.h"
#include "base/logger.h"
#include "base/mutex.h"
#include "catalog/store.h"
#include "proof/ledger_files.h"

namespace tusfs {

class LedgerKeeper {
 public:
  /// The collaborators outlive it.
  LedgerKeeper(Store& store, std::filesystem::path directory, LedgerWriter::Options options,
               Clock const& clock, Logger logger);
  ~LedgerKeeper();
  LedgerKeeper(LedgerKeeper const&) = delete;
  LedgerKeeper& operator=(LedgerKeeper const&) = delete;

  /// Once. What was uploaded before there was a ledger is written first (ledger_seed.h), then what
  /// an earlier process has left in the catalog.
  void Start();

  /// Waits until all that the store had when it was called is in the ledger's files. Errors:
  /// ETIMEDOUT behind `patience`, with what the disk said; ECANCELED at the end.
  [[nodiscard]] Result<void> Flush(std::chrono::milliseconds patience) EXCLUDES(mutex_);

 private:
  void Run(std::stop_token const& stop);
  /// Until nothing is left.
  Result<void> MoveAll();
  Result<bool> MoveSome();

  Store& store_;
  std::filesystem::path const directory_;
  LedgerWriter::Options const options_;
  Clock const& clock_;
  Logger const logger_;
  std::optional<LedgerWriter> writer_;  ///< of the thread
  bool is_seeded_ = false;              ///< likewise: SeedLedger has nothing to do any more
  FileTime started_ = 0;
  std::uint64_t observer_ = 0;

  Mutex mutex_ ACQUIRED_AFTER(lock_order::kBehindChanges)
      ACQUIRED_BEFORE(lock_order::kBehindLeaves);
  CondVar woken_;
  CondVar moved_;
  bool is_wanted_ GUARDED_BY(mutex_) = true;
  bool is_hurried_ GUARDED_BY(mutex_) = true;  ///< somebody waits for the next round
  bool is_ending_ GUARDED_BY(mutex_) = false;
  std::uint64_t begun_ GUARDED_BY(mutex_) = 0;  ///< rounds
  std::uint64_t done_ GUARDED_BY(mutex_) = 0;   ///< the last round that left nothing
  std::optional<Error> problem_ GUARDED_BY(mutex_);
  std::jthread thread_;
};

}  // namespace tusfs
