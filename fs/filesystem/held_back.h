// Says in the log which finished writing does not make a file finished: what it waits for besides,
// and the way out. Once for as long as it waits for the same and this daemon lives.
//
// Any thread; a leaf among the locks.
#pragma once

#include <string>
#include <unordered_map>

#include "base/ids.h"
#include "base/logger.h"
#include "base/mutex.h"
#include "uploader/publish_rules.h"

namespace tusfs {

class HeldBack {
 public:
  explicit HeldBack(Logger logger) : logger_(std::move(logger)) {}

  /// The quiet time of the file at `path` (relative to the mount) is over, and this is what holds
  /// it; Hold::kNone: nothing any more.
  void Note(InodeId inode, Hold hold, std::string const& path) EXCLUDES(mutex_);

 private:
  [[nodiscard]] bool IsNews(InodeId inode, Hold hold) EXCLUDES(mutex_);

  Logger const logger_;
  Mutex mutex_ ACQUIRED_AFTER(lock_order::kBehindChanges)
      ACQUIRED_BEFORE(lock_order::kBehindLeaves);
  std::unordered_map<InodeId, Hold> told_ GUARDED_BY(mutex_);
};

}  // namespace tusfs
