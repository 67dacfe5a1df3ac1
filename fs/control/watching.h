// tusfsctl watch: a mount as it changes, told by its daemon (watchers.h) and not asked again and
// again.
//
// On a terminal a picture until q or Ctrl-C; else, and on one that cannot move its cursor, a line
// whenever it is another, at most one a second. A daemon that is replaced is waited for.
#pragma once

#include "control/place.h"

namespace tusfs {

/// Returns kDone where it was ended by somebody, or kNoAnswer with a sentence: the mount has gone,
/// or a path.
[[nodiscard]] int Watch(Place place);

}  // namespace tusfs
