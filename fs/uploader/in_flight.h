// How far the bodies that are being sent have left, for whoever watches: the catalog knows of it
// only when the server has answered. And which requests are out whose answers nobody could ask for
// again.
//
// A few entries, one for each transfer that sends. Thread-safe; only AwaitJoins blocks.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "base/mutex.h"

namespace tusfs {

class InFlight {
 public:
  /// All bytes of the file before `end` have left the machine, or are on the server.
  void Reached(InodeId inode, std::uint64_t end) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    ends_[inode] = end;
  }
  /// Its body has ended: the catalog knows better.
  void Ended(InodeId inode) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    ends_.erase(inode);
  }

  /// A part of the file, which may be beside others, is being sent: said before its bytes are
  /// claimed.
  void PartBegun(InodeId inode, Uuid const& part) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    parts_.emplace(inode, part);
  }
  void PartEnded(InodeId inode, Uuid const& part) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    parts_.erase({inode, part});
  }
  /// Those that are being sent, whether they still are the file's or not.
  [[nodiscard]] std::vector<Uuid> PartsOf(InodeId inode) const EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    std::vector<Uuid> parts;
    auto at = parts_.lower_bound({inode, Uuid{}});
    for (; at != parts_.end() && at->first == inode; ++at) parts.push_back(at->second);
    return parts;
  }

  /// A request that joins parts is about to go out: its answer alone tells whether the file is
  /// published. False where it must not any more.
  [[nodiscard]] bool JoinBegun(InodeId inode) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    if (is_ending_) return false;
    joins_.insert(inode);
    return true;
  }
  void JoinEnded(InodeId inode) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    joins_.erase(inode);
    joined_.NotifyAll();
  }
  /// Files whose parts are being joined.
  [[nodiscard]] std::set<InodeId> Joining() const EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return joins_;
  }
  /// Waits until those that are out are answered, or `deadline`; no more of them go out.
  void AwaitJoins(SteadyTime deadline) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    is_ending_ = true;
    while (!joins_.empty() && joined_.WaitUntil(mutex_, deadline)) continue;
  }

  /// 0: nothing of it is being sent, or it goes in parts.
  [[nodiscard]] std::uint64_t EndOf(InodeId inode) const EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    auto const found = ends_.find(inode);
    return found == ends_.end() ? 0 : found->second;
  }
  /// Files of which something is being sent.
  [[nodiscard]] std::vector<InodeId> Inodes() const EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    std::vector<InodeId> inodes;
    for (auto const& [inode, end] : ends_) inodes.push_back(inode);
    for (auto const& [inode, part] : parts_) {
      if (inodes.empty() || inodes.back() != inode) inodes.push_back(inode);
    }
    return inodes;
  }

 private:
  mutable Mutex mutex_ ACQUIRED_AFTER(lock_order::kBehindChanges)
      ACQUIRED_BEFORE(lock_order::kBehindLeaves);
  std::map<InodeId, std::uint64_t> ends_ GUARDED_BY(mutex_);
  std::set<std::pair<InodeId, Uuid>> parts_ GUARDED_BY(mutex_);
  CondVar joined_;
  std::set<InodeId> joins_ GUARDED_BY(mutex_);
  bool is_ending_ GUARDED_BY(mutex_) = false;
};

}  // namespace tusfs
