// How much was sent in each minute of the last hour, since this daemon was started.
//
// Told of what changes, so that it costs nothing while nothing is sent. Thread-safe; Note may be
// called with the store's lock held.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"

namespace tusfs {

class RateHistory {
 public:
  static constexpr std::size_t kMinutes = 60;

  /// `sent`: bytes over the wire, ever.
  explicit RateHistory(std::uint64_t sent) : sent_(sent) {}

  /// What `sent` is by `now`.
  void Note(std::uint64_t sent, SteadyTime now) EXCLUDES(mutex_);

  /// Bytes of each minute, the oldest first; the last one is not over yet.
  [[nodiscard]] std::vector<std::uint64_t> Minutes(SteadyTime now) const EXCLUDES(mutex_);

 private:
  static std::int64_t MinuteOf(SteadyTime time) {
    return std::chrono::floor<std::chrono::minutes>(time.time_since_epoch()).count();
  }

  mutable Mutex mutex_ ACQUIRED_AFTER(lock_order::kBehindChanges)
      ACQUIRED_BEFORE(lock_order::kBehindLeaves);
  std::uint64_t sent_ GUARDED_BY(mutex_);
  struct Minute {
    std::int64_t number = -1;
    std::uint64_t bytes = 0;
  };
  std::array<Minute, kMinutes> minutes_ GUARDED_BY(mutex_) = {};  ///< by number modulo kMinutes
};

}  // namespace tusfs
