// With what tusfs ends, so that a service manager knows whether to start it again (tusfs(1), "EXIT
// STATUS").
#pragma once

#include "base/error.h"

namespace tusfs {

/// A person has to change something first; it is no use to try again.
constexpr int kWrongConfiguration = 2;
/// It may mend itself: full or slow disks, what still ends, a device that is not there yet.
constexpr int kMayMendItself = 1;

/// For `error`, for which there is no mount: one of the two.
[[nodiscard]] int ExitStatusFor(Error const& error);

}  // namespace tusfs
