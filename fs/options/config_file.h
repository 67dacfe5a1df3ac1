// The file of --config: TOML, with the names of settings, dashes or underscores alike.
#pragma once

#include <string>

#include "base/error.h"
#include "options/options.h"

namespace tusfs {

/// Applies the file at `path`, which may have url and mountpoint, too. Errors: EINVAL with a
/// sentence that names the file, and the line where it is no TOML.
[[nodiscard]] Result<void> ApplyConfigFile(Options& options, std::string const& path);

}  // namespace tusfs
