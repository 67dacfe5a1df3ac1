// What stands after -o, in the style of mount(8).
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "options/options.h"

namespace tusfs {

struct MountWords {
  bool remount = false;
  std::vector<std::string> settings;  ///< those that were given, as they were spelt
};

/// Applies `lists`, words separated by commas. Words for mount programs are taken for nothing,
/// those for the kernel go to Options::kernel. Errors: EINVAL with a sentence.
[[nodiscard]] Result<MountWords> ApplyMountOptions(Options& options,
                                                   std::vector<std::string> const& lists);

}  // namespace tusfs
