// Which files go before which: an option's value, and a job's rank.
#pragma once

namespace tusfs {

/// In the order in which they go.
enum class Priority {
  kHigh,    ///< before all others
  kNormal,  ///< in its turn
  kLow,     ///< while no other one is due
};

}  // namespace tusfs
