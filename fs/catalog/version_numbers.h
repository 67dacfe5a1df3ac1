// Numbers for versions, of which some are taken at a time: most are given without an operation.
//
// Those that a process has taken and not given are left out for good. Any thread.
#pragma once

#include <cstdint>

#include "base/error.h"
#include "base/mutex.h"
#include "catalog/store.h"

namespace tusfs {

class VersionNumbers {
 public:
  /// The store outlives it.
  explicit VersionNumbers(Store& store) : store_(store) {}

  /// A number that nobody has been given, and that no later process will be given. Errors: the
  /// catalog's.
  [[nodiscard]] Result<std::uint64_t> Next() EXCLUDES(mutex_);

 private:
  Store& store_;
  Mutex mutex_ ACQUIRED_AFTER(lock_order::kBehindChanges)
      ACQUIRED_BEFORE(lock_order::kBehindLeaves);
  std::uint64_t next_ GUARDED_BY(mutex_) = 0;
  std::uint64_t end_ GUARDED_BY(mutex_) = 0;
};

}  // namespace tusfs
