// Makes room in the spool: lets go of bytes that the server has, least recently used first, when
// the budget is short of room or a setting keeps no more; and removes the names of what was
// uploaded long ago.
//
// A thread of its own, woken by the budget. Calls of the filesystem never wait for it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <thread>

#include "base/clock.h"
#include "base/logger.h"
#include "catalog/kept.h"
#include "catalog/store.h"
#include "filesystem/shrinker.h"
#include "spool/spool.h"

namespace tusfs {

struct ReclaimOptions {
  /// Bytes of uploaded files that are kept; nothing: as many as there is room for.
  std::optional<std::uint64_t> keep{};
  bool trim = false;  ///< of an unfinished file, what the server has confirmed may go
  /// Interrupted files may go, the oldest first, when a writer would else fail.
  bool drop_interrupted = false;
  /// Names of uploaded files go after this; 0: never.
  std::chrono::seconds retention{0};
};

class Reclaimer {
 public:
  /// The collaborators outlive it.
  Reclaimer(Store& store, Spool& spool, Shrinker& shrinker, Clock const& clock,
            ReclaimOptions const& options, Logger logger)
      : store_(store),
        spool_(spool),
        shrinker_(shrinker),
        clock_(clock),
        options_(options),
        logger_(std::move(logger)) {}
  ~Reclaimer() { Stop(); }

  void Start();
  void Stop();

  /// One round: what should go now goes. On the calling thread, while it is not started.
  void Reclaim(std::stop_token stop = {});
  /// Likewise, of names.
  void ExpireNames(std::stop_token stop = {});

 private:
  void Run(std::stop_token stop);
  [[nodiscard]] SteadyTime NextRound(SteadyTime now) const;
  void CountNew(std::stop_token const& stop);
  void Recount(std::stop_token const& stop);
  /// Evicts `wanted` bytes, or what there is; returns how many went.
  std::uint64_t Evict(std::uint64_t wanted, std::stop_token const& stop);
  void AwaitRemoval();
  /// A catalog of the release before does not know what it keeps.
  void IndexOldFiles(std::stop_token const& stop);
  void TrimUnfinished(std::stop_token const& stop);
  /// Whether room will come by itself, and what else there is to do while it is short.
  void LookAhead(std::stop_token const& stop);
  void SayHopeless(Shrinker::Outlook const& outlook);
  /// Of an uploaded file whose bytes are here; 0 where it is another file by now.
  [[nodiscard]] std::uint64_t BytesOf(KeptFile const& file) const;
  void Complain(char const* what, Error const& error) const;

  Store& store_;
  Spool& spool_;
  Shrinker& shrinker_;
  Clock const& clock_;
  ReclaimOptions const options_;
  Logger const logger_;
  std::uint64_t kept_ = 0;  ///< bytes of uploaded files; never too few
  KeptFile counted_to_;
  SteadyTime recounted_;
  SteadyTime expired_;
  std::optional<SteadyTime> looked_ahead_;
  std::chrono::nanoseconds look_took_{0};
  std::optional<SteadyTime> said_hopeless_;
  std::jthread thread_;
};

}  // namespace tusfs
