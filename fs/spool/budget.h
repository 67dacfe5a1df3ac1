// How much of the local disk the spool takes, and how much more it may take.
//
// Counted in bytes that the disk has given to the versions' files (holes are free). One object a
// spool, shared with its versions, which report what they take. Thread-safe; everything but
// WaitForChange returns at once. Its lock comes last of all (base/mutex.h).
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "base/clock.h"
#include "base/mutex.h"

namespace tusfs {

struct SpoolLimits {
  std::uint64_t size = 0;     ///< bytes that the spool may take; 0: as many as the disk has
  std::uint64_t reserve = 0;  ///< free bytes of the disk that are left to others
};

/// How far the budget is spent.
enum class Room {
  kPlenty,
  kScarce,  ///< what is uploaded should go
  kLow,     ///< what is left is for one file alone, so that it can be finished and go
  kNone,
};

class Budget {
 public:
  /// `free` gives the bytes of the disk that may still be written, when the spool takes so many.
  Budget(SpoolLimits const& limits, std::function<std::uint64_t(std::uint64_t used)> free)
      : limits_(limits), free_(std::move(free)) {}

  /// The spool takes so many bytes more, or fewer.
  void Charge(std::int64_t bytes) EXCLUDES(mutex_);

  [[nodiscard]] std::uint64_t used() const {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(used_, 0));
  }
  /// Bytes that the spool may take in all, as `free` tells of the disk.
  [[nodiscard]] std::uint64_t limit() const;
  /// What was set; the disk's own size may change, as others use it. 0: nothing.
  [[nodiscard]] std::uint64_t size() const { return limits_.size; }
  [[nodiscard]] Room room() const;
  /// Bytes that have to go until there is plenty of room; 0: there is.
  [[nodiscard]] std::uint64_t excess() const;

  /// Things go on: the server has confirmed bytes, or bytes have gone.
  void NoteProgress(SteadyTime now) EXCLUDES(mutex_);
  [[nodiscard]] SteadyTime last_progress() const EXCLUDES(mutex_);

  /// Files that somebody waits to write to, for those who report.
  [[nodiscard]] std::size_t waiting() const { return waiting_; }
  void SetWaiting(std::size_t files) { waiting_ = files; }

  /// Bytes of files that will not go by themselves, as whoever makes room has seen last.
  [[nodiscard]] std::uint64_t stuck() const { return stuck_; }
  void SetStuck(std::uint64_t bytes) EXCLUDES(mutex_);

  /// Bytes are about to go, as soon as the disk has been told: as long as the returned token lives,
  /// nothing is hopeless. The budget outlives it.
  [[nodiscard]] std::shared_ptr<void> NoteGoing();
  /// Nothing in the spool will go by itself, as it was when changes() was `seen`. Forgotten with
  /// the next change.
  void NoteHopeless(std::uint64_t seen) EXCLUDES(mutex_);
  [[nodiscard]] bool IsHopeless() const EXCLUDES(mutex_);

  /// Wakes those who wait for a change.
  void Poke() EXCLUDES(mutex_);
  /// Counts what may matter to those who wait: room that was gained, a change of room(), a Poke.
  [[nodiscard]] std::uint64_t changes() const EXCLUDES(mutex_);
  /// Waits until changes() is not `seen` any more, or until `deadline`. Returns what it is.
  std::uint64_t WaitForChange(std::uint64_t seen, SteadyTime deadline) EXCLUDES(mutex_);

 private:
  SpoolLimits const limits_;
  std::function<std::uint64_t(std::uint64_t)> const free_;
  std::atomic<std::int64_t> used_ = 0;
  std::atomic<std::size_t> waiting_ = 0;
  std::atomic<std::uint64_t> stuck_ = 0;
  std::atomic<int> going_ = 0;  ///< tokens of NoteGoing
  std::atomic<Room> last_room_ = Room::kPlenty;
  mutable Mutex mutex_ ACQUIRED_AFTER(lock_order::kBehindLeaves);
  CondVar changed_;
  std::uint64_t changes_ GUARDED_BY(mutex_) = 0;
  std::uint64_t hopeless_at_ GUARDED_BY(mutex_) = ~std::uint64_t{0};  ///< a value of changes_
  SteadyTime last_progress_ GUARDED_BY(mutex_);
};

}  // namespace tusfs
