// Access times, as with the mount option relatime: an access counts where none has since the last
// change, or none for a day. Any thread; no lock of its own.
#pragma once

#include "base/clock.h"
#include "base/ids.h"
#include "base/logger.h"
#include "catalog/store.h"

namespace tusfs {

class AccessTimes {
 public:
  /// The collaborators outlive it.
  AccessTimes(Store& store, Clock const& clock, Logger logger)
      : store_(store), clock_(clock), logger_(std::move(logger)) {}

  /// Somebody reads it. Durable with the next other change; nobody's read fails for it.
  void Note(InodeId inode) const;

 private:
  Store& store_;
  Clock const& clock_;
  Logger const logger_;
};

}  // namespace tusfs
