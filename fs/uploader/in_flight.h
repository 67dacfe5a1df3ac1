// How far the bodies that are being sent have left, for whoever watches: the catalog knows of it
// only when the server has answered.
//
// A few entries, one for each transfer that sends. Thread-safe; nothing blocks.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

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

  /// 0: nothing of it is being sent.
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
    return inodes;
  }

 private:
  mutable Mutex mutex_ ACQUIRED_AFTER(lock_order::kBehindChanges)
      ACQUIRED_BEFORE(lock_order::kBehindLeaves);
  std::map<InodeId, std::uint64_t> ends_ GUARDED_BY(mutex_);
};

}  // namespace tusfs
