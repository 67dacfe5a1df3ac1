// Which files a person wants to go before all others, in memory and in the catalog.
//
// Thread-safe; its lock is a leaf, so that reports may ask with the catalog's held. Where nothing
// is marked, as usual, nobody looks at the catalog for it.
#pragma once

#include <set>

#include "base/mutex.h"
#include "catalog/first.h"
#include "catalog/store.h"

namespace tusfs {

class Priorities {
 public:
  /// `store` outlives it.
  explicit Priorities(Store& store) : store_(store) {}

  /// What was marked by an earlier process; marks of what has gone go. Errors: the catalog's.
  [[nodiscard]] Result<void> Load() EXCLUDES(mutex_);

  /// Of a file, or of a directory with all that is or will be beneath it. Durable when it returns.
  [[nodiscard]] Result<void> Set(InodeId inode, bool first) EXCLUDES(mutex_);
  /// It needs no mark any more where it is uploaded, or gone.
  void Done(InodeId inode) EXCLUDES(mutex_);

  [[nodiscard]] bool HasAny() const EXCLUDES(mutex_);
  /// Whether the file goes first, within a look at the catalog.
  [[nodiscard]] bool Has(View const& view, Inode const& inode) const EXCLUDES(mutex_);

 private:
  [[nodiscard]] std::set<InodeId> Marked() const EXCLUDES(mutex_);

  Store& store_;
  mutable Mutex mutex_ ACQUIRED_AFTER(lock_order::kBehindChanges)
      ACQUIRED_BEFORE(lock_order::kBehindLeaves);
  std::set<InodeId> marked_ GUARDED_BY(mutex_);
};

}  // namespace tusfs
