#include "filesystem/turns.h"

#include <algorithm>
#include <chrono>

namespace tusfs {
namespace {

// Whoever does not use his turn for so long loses it to those who wait.
constexpr std::chrono::seconds kIdle{10};
/// Whoever was told that the spool is full closes his file within so long, or others are told too.
constexpr std::chrono::seconds kToClose{10};
/// Of the spool, what all unfinished files but one may take.
constexpr std::uint64_t kShareOfOthers = 3;

}  // namespace

Turn Turns::Ask(VersionId file, std::uint64_t taken) {
  auto const room = budget_.room();
  auto const now = clock_.Steady();
  MutexLock lock(mutex_);
  auto& writer = writers_[file];
  taken_ += taken - writer.taken;
  writer = {.taken = taken, .asked = now};
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

void Turns::Drop(VersionId file) {
  auto const found = writers_.find(file);
  if (found == writers_.end()) return;
  taken_ -= found->second.taken;
  writers_.erase(found);
}

bool Turns::IsContested() const {
  auto const stuck = budget_.stuck();
  if (options_.trims || (writers_.size() < 2 && stuck == 0)) return false;
  std::uint64_t most = 0;
  for (auto const& [file, writer] : writers_) most = std::max(most, writer.taken);
  return taken_ - most + stuck > budget_.limit() / kShareOfOthers;
}

VersionId Turns::ChooseOwner(SteadyTime now) const {
  VersionId chosen = 0;
  std::uint64_t most = 0;
  for (auto const& [file, writer] : writers_) {
    bool const writes = waiting_.contains(file) || writer.asked + kIdle >= now;
    if (!writes || (chosen != 0 && writer.taken <= most)) continue;
    chosen = file;
    most = writer.taken;
  }
  return chosen;
}

bool Turns::MayGo(VersionId file, Room room, SteadyTime now) {
  bool const has_room = room == Room::kPlenty || room == Room::kScarce;
  if (has_room && exempt_.contains(file)) return true;
  if (has_room && !IsContested()) {
    if (waiting_.empty()) owner_ = 0;
    return true;
  }
  bool const idle = owner_ != 0 && !waiting_.contains(owner_) && owner_wrote_ + kIdle < now;
  if (owner_ == 0 || idle) {
    owner_ = ChooseOwner(now);
    owner_wrote_ = now;
  }
  if (owner_ != file) return false;
  owner_wrote_ = now;
  return room != Room::kNone;
}

bool Turns::IsNextToFail(VersionId file, SteadyTime now) {
  if (failed_ != 0 && failed_at_ + kToClose > now) return failed_ == file;
  auto const own = writers_.at(file).taken;
  for (auto const& [other, since] : waiting_) {
    auto const found = writers_.find(other);
    if (other == file || found == writers_.end()) continue;
    auto const theirs = found->second.taken;
    if (theirs != own ? theirs < own : other > file) return false;
  }
  failed_ = file;
  failed_at_ = now;
  return true;
}

bool Turns::IsFull(VersionId file, std::uint64_t taken, Room room, SteadyTime now) {
  // Alone it is more than fits, and nothing of it will go before its end.
  bool const cannot_fit = budget_.size() > 0 && taken >= budget_.size();
  if (!options_.trims && room == Room::kNone && cannot_fit) return true;
  if (room == Room::kNone && budget_.IsHopeless() && IsNextToFail(file, now)) return true;
  auto const since = std::max(waiting_.at(file), budget_.last_progress());
  if (since + options_.full_timeout > now) return false;
  if (room == Room::kLow || room == Room::kNone) return true;
  exempt_.insert(file);  // nobody fails while there is room
  return false;
}

void Turns::Leave(VersionId file) {
  MutexLock lock(mutex_);
  Forget(file);
  Drop(file);
  refused_.erase(file);
  exempt_.erase(file);
  if (owner_ == file) owner_ = 0;
  if (failed_ == file) failed_ = 0;
  // What it leaves may be finished, or removed.
  if (!waiting_.empty() || budget_.IsHopeless()) budget_.Poke();
}

void Turns::Refuse(VersionId file) {
  MutexLock lock(mutex_);
  refused_.insert(file);
  budget_.Poke();
}

}  // namespace tusfs
