// mount -o remount: mount(8) hands it to the program like any other mount.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "options/options.h"

namespace tusfs {

/// Success where the running mount at `asked.mountpoint` is already as the settings `given` (names
/// after -o) and the kernel's options want it: nothing is to be done then. Errors: a sentence that
/// says what of it cannot be changed; ENOENT where there is no such mount.
[[nodiscard]] Result<void> Remount(Options const& asked, std::vector<std::string> const& given);

}  // namespace tusfs
