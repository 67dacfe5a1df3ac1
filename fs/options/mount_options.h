// What stands after -o, in the style of mount(8).
#pragma once

#include <string>
#include <vector>

#include "options/given.h"
#include "options/options.h"

namespace tusfs {

struct MountWords {
  bool remount = false;
  std::vector<std::string> settings;  ///< those that were given, as they were spelt
};

/// Applies `lists`, words separated by commas. Words for mount programs are taken for nothing,
/// those for the kernel go to Options::kernel. `given` is told of all values and of all mistakes.
[[nodiscard]] MountWords ApplyMountOptions(Options& options, std::vector<std::string> const& lists,
                                           Given& given);

}  // namespace tusfs
