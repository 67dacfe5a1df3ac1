// tusfsctl wait: until everything that can be uploaded by itself is.
//
// The daemon tells when its numbers have changed (watchers.h), so that waiting costs it what
// changes and no more; what is over is then looked at file by file. Where a daemon is replaced, its
// successor is asked; one that is too old to tell anything is asked once a second.
#pragma once

#include <optional>
#include <vector>

#include "control/place.h"

namespace tusfs {

struct WaitOptions {
  std::optional<double> timeout{};  ///< seconds
  bool strict = false;              ///< what is never uploaded counts as stuck
};

/// Waits, with a bar where standard error is a terminal; prints what does not finish by itself.
/// Returns kDone, kStuck, kTimeout, or kNoAnswer with a sentence: the mount has gone, or a path.
[[nodiscard]] int WaitFor(std::vector<Place> places, WaitOptions const& options);

}  // namespace tusfs
