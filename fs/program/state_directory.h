// Where the state of a mount is.
#pragma once

#include <filesystem>
#include <string>

#include "base/error.h"
#include "options/options.h"

namespace tusfs {

/// The absolute path of the state directory of `mountpoint`, which is absolute, as `options` have
/// it, or by default; it need not be there. Errors: EPERM for a link that is another user's; a
/// sentence.
[[nodiscard]] Result<std::filesystem::path> StateDirectoryOf(Options const& options,
                                                             std::string const& mountpoint);

}  // namespace tusfs
