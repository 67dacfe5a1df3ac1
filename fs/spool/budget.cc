#include "spool/budget.h"

#include <algorithm>

namespace tusfs {
namespace {

// In sixteenths of the limit. What is uploaded goes a little before writers have to wait for it.
constexpr std::uint64_t kAim = 10;
constexpr std::uint64_t kScarceAt = 11;
constexpr std::uint64_t kLowAt = 12;

std::uint64_t Sixteenths(std::uint64_t limit, std::uint64_t count) { return limit / 16 * count; }

Room RoomOf(std::uint64_t used, std::uint64_t limit) {
  if (used >= limit) return Room::kNone;
  if (used > Sixteenths(limit, kLowAt)) return Room::kLow;
  return used > Sixteenths(limit, kScarceAt) ? Room::kScarce : Room::kPlenty;
}

}  // namespace

void Budget::Charge(std::int64_t bytes) {
  if (bytes == 0) return;
  used_ += bytes;
  auto const now = room();
  if (last_room_.exchange(now) != now || bytes < 0) Poke();
}

std::uint64_t Budget::limit() const {
  auto const used_now = used();
  auto const free = free_(used_now);
  auto const by_disk = used_now + (free > limits_.reserve ? free - limits_.reserve : 0);
  return limits_.size == 0 ? by_disk : std::min(limits_.size, by_disk);
}

Room Budget::room() const { return RoomOf(used(), limit()); }

std::uint64_t Budget::excess() const {
  auto const limit_now = limit();
  auto const used_now = used();
  if (RoomOf(used_now, limit_now) == Room::kPlenty) return 0;
  return used_now - Sixteenths(limit_now, kAim);
}

void Budget::NoteProgress(SteadyTime now) {
  MutexLock lock(mutex_);
  last_progress_ = now;
  if (last_room_ == Room::kPlenty) return;
  ++changes_;
  changed_.NotifyAll();
}

SteadyTime Budget::last_progress() const {
  MutexLock lock(mutex_);
  return last_progress_;
}

void Budget::SetStuck(std::uint64_t bytes) {
  if (stuck_.exchange(bytes) != bytes) Poke();
}

void Budget::NoteHopeless(std::uint64_t seen) {
  MutexLock lock(mutex_);
  if (changes_ != seen || hopeless_at_ == changes_) return;
  hopeless_at_ = ++changes_;
  changed_.NotifyAll();
}

std::shared_ptr<void> Budget::NoteGoing() {
  ++going_;
  return {nullptr, [this](void*) {
            --going_;
            Poke();
          }};
}

bool Budget::IsHopeless() const {
  MutexLock lock(mutex_);
  return going_ == 0 && hopeless_at_ == changes_;
}

void Budget::Poke() {
  MutexLock lock(mutex_);
  ++changes_;
  changed_.NotifyAll();
}

std::uint64_t Budget::changes() const {
  MutexLock lock(mutex_);
  return changes_;
}

std::uint64_t Budget::WaitForChange(std::uint64_t seen, SteadyTime deadline) {
  MutexLock lock(mutex_);
  while (changes_ == seen && changed_.WaitUntil(mutex_, deadline)) {
  }
  return changes_;
}

}  // namespace tusfs
