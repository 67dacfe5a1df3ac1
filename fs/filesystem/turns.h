// Whose writes go on when the spool is nearly full.
//
// A write is done first and answered later: whoever may not go on gets no answer yet, so that he
// writes no more. Bytes of unfinished files do not go, so many writers would stop each other for
// ever. Therefore one file, the one that has most of them, can always become as large as what the
// others leave: these stop when they have a third of the spool together, with what is stuck in it,
// and when room is low. So a file of two thirds of the spool can be finished, sent, and go. It
// keeps its turn until nobody writes to it; then it is that of the next. When nothing in the spool
// will go by itself (Budget::IsHopeless), one writer after another is told that it is full, the one
// with the fewest bytes first: what he leaves may be removed, and the others go on. Thread-safe,
// never blocks. Its lock is a leaf, before the budget's.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <set>

#include "base/clock.h"
#include "base/ids.h"
#include "base/mutex.h"
#include "spool/budget.h"

namespace tusfs {

enum class Turn {
  kGo,
  kWait,  ///< ask again when the budget has changed
  kFull,  ///< there will be no room: the write has failed
};

class Turns {
 public:
  struct Options {
    /// A writer waits for so long without any progress (Budget::NoteProgress).
    std::chrono::milliseconds full_timeout{3'600'000};
    /// Bytes of an unfinished file may go: it may be larger than the spool.
    bool trims = false;
  };
  /// The collaborators outlive it.
  Turns(Budget& budget, Clock const& clock, Options const& options)
      : budget_(budget), clock_(clock), options_(options) {}

  /// Somebody who has written to `file`, which takes so many bytes of disk, asks to go on.
  [[nodiscard]] Turn Ask(VersionId file, std::uint64_t taken) EXCLUDES(mutex_);

  /// Nobody writes to it any more.
  void Leave(VersionId file) EXCLUDES(mutex_);

  /// Whoever waits to write to it is told that it is full.
  void Refuse(VersionId file) EXCLUDES(mutex_);

 private:
  struct Writer {
    std::uint64_t taken = 0;  ///< bytes of disk
    SteadyTime asked;         ///< last
  };
  void Forget(VersionId file) REQUIRES(mutex_);
  void Drop(VersionId file) REQUIRES(mutex_);
  [[nodiscard]] bool MayGo(VersionId file, Room room, SteadyTime now) REQUIRES(mutex_);
  /// Whether all but one have as much as they may.
  [[nodiscard]] bool IsContested() const REQUIRES(mutex_);
  /// The one that has most, of those who still write.
  [[nodiscard]] VersionId ChooseOwner(SteadyTime now) const REQUIRES(mutex_);
  [[nodiscard]] bool IsFull(VersionId file, std::uint64_t taken, Room room, SteadyTime now)
      REQUIRES(mutex_);
  /// Whether it is its turn to be told that it is full.
  [[nodiscard]] bool IsNextToFail(VersionId file, SteadyTime now) REQUIRES(mutex_);

  Budget& budget_;
  Clock const& clock_;
  Options const options_;
  mutable Mutex mutex_ ACQUIRED_AFTER(lock_order::kBehindChanges)
      ACQUIRED_BEFORE(lock_order::kBehindLeaves);
  std::map<VersionId, Writer> writers_ GUARDED_BY(mutex_);
  std::uint64_t taken_ GUARDED_BY(mutex_) = 0;                  ///< by all of them
  std::map<VersionId, SteadyTime> waiting_ GUARDED_BY(mutex_);  ///< since when
  std::set<VersionId> refused_ GUARDED_BY(mutex_);
  std::set<VersionId> exempt_ GUARDED_BY(mutex_);  ///< have waited long enough for others
  VersionId owner_ GUARDED_BY(mutex_) = 0;         ///< of what is left; 0: nobody yet
  SteadyTime owner_wrote_ GUARDED_BY(mutex_);
  VersionId failed_ GUARDED_BY(mutex_) = 0;  ///< was told last that it is full; 0: and has gone
  SteadyTime failed_at_ GUARDED_BY(mutex_);
};

}  // namespace tusfs
