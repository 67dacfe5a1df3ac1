#include "filesystem/turns.h"

#include <algorithm>
#include <chrono>

namespace tusfs {
namespace {

// Whoever does not use his turn for so long loses it to those who wait.
constexpr std::chrono::seconds kIdle{10};

}  // namespace

Turn Turns::Ask(VersionId file, std::uint64_t taken) {
  auto const room = budget_.room();
  auto const now = clock_.Steady();
  MutexLock lock(mutex_);
  if (refused_.contains(file)) return Turn::kFull;
  if (MayGo(file, room, now)) {
    Forget(file);
    return Turn::kGo;
  }
  waiting_.try_emplace(file, now);
  budget_.SetWaiting(waiting_.size());
  if (!IsFull(file, taken, room, now)) return Turn::kWait;
  Forget(file);
  if (owner_ == file) owner_ = 0;
  return Turn::kFull;
}

void Turns::Forget(VersionId file) {
  if (waiting_.erase(file) > 0) budget_.SetWaiting(waiting_.size());
}

bool Turns::MayGo(VersionId file, Room room, SteadyTime now) {
  if (room == Room::kPlenty || room == Room::kScarce) {
    if (waiting_.empty()) owner_ = 0;
    return true;
  }
  bool const idle = owner_ != 0 && !waiting_.contains(owner_) && owner_wrote_ + kIdle < now;
  if (owner_ == 0 || idle) {
    owner_ = waiting_.empty() ? file : std::min(file, waiting_.begin()->first);
    owner_wrote_ = now;
  }
  if (owner_ != file) return false;
  owner_wrote_ = now;
  return room == Room::kLow;
}

bool Turns::IsFull(VersionId file, std::uint64_t taken, Room room, SteadyTime now) const {
  // Alone it is more than fits, and nothing of it will go before its end.
  bool const cannot_fit = budget_.size() > 0 && taken >= budget_.size();
  if (!options_.trims && room == Room::kNone && cannot_fit) return true;
  auto const since = std::max(waiting_.at(file), budget_.last_progress());
  return since + options_.full_timeout <= now;
}

void Turns::Leave(VersionId file) {
  MutexLock lock(mutex_);
  Forget(file);
  refused_.erase(file);
  if (owner_ != file) return;
  owner_ = 0;
  if (!waiting_.empty()) budget_.Poke();
}

void Turns::Refuse(VersionId file) {
  MutexLock lock(mutex_);
  refused_.insert(file);
  budget_.Poke();
}

}  // namespace tusfs
