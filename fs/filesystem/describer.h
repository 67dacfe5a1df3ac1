// Keeps what the spool's files say of themselves (description.h) up with the catalog.
//
// A thread of its own, a moment behind: whoever changes the catalog only notes which inode it was.
// What a predecessor died over is described at the start: of files that are not uploaded, and of
// those that were uploaded last.
#pragma once

#include <cstdint>
#include <set>
#include <thread>

#include "base/logger.h"
#include "base/mutex.h"
#include "catalog/store.h"
#include "spool/spool.h"

namespace tusfs {

class Describer {
 public:
  /// The collaborators outlive it. Observes the store from now on; looks for what a predecessor has
  /// left undescribed, in the background.
  Describer(Store& store, Spool& spool, Logger logger);
  /// Writes what is left.
  ~Describer();

  /// Writes what was noted so far, on the calling thread.
  void Catch();

 private:
  void Note(InodeId inode) EXCLUDES(mutex_);
  void NoteMoved(InodeId directory) EXCLUDES(mutex_);
  void NoteUnfinished(std::stop_token const& stop) EXCLUDES(mutex_);
  void NoteLastUploaded(std::stop_token const& stop) EXCLUDES(mutex_);
  /// The paths of all that is beneath these have changed: adds the files there to `inodes`.
  void AddBeneath(std::set<InodeId> directories, std::set<InodeId>& inodes) const;
  void Run(std::stop_token stop) EXCLUDES(mutex_);
  void Describe(InodeId inode);

  Store& store_;
  Spool& spool_;
  Logger const logger_;
  Mutex mutex_ ACQUIRED_AFTER(lock_order::kBehindChanges)
      ACQUIRED_BEFORE(lock_order::kBehindLeaves);
  CondVar noted_;
  std::set<InodeId> inodes_ GUARDED_BY(mutex_);
  std::set<InodeId> moved_ GUARDED_BY(mutex_);  ///< directories that have got a name
  bool complained_ = false;
  std::uint64_t observing_ = 0;
  std::jthread thread_;
};

}  // namespace tusfs
