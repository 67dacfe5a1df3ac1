// The file of --config: TOML, with the names of settings, dashes or underscores alike, and rules
// (config_rules.h).
#pragma once

#include <string>

#include "base/error.h"
#include "options/given.h"
#include "options/options.h"
#include "options/settings.h"

namespace tusfs {

/// How the value of a setting is written there: "a number or text".
[[nodiscard]] std::string TypeInFile(Setting const& setting);

/// Applies the file at `path`, which may have url and mountpoint, too, and tells `given` where each
/// value stands. All mistakes are told, by their lines: each names the file, its line, the key, and
/// what that takes. False where it cannot be read, or is no TOML: nobody knows what it would say.
bool ApplyConfigFile(Options& options, std::string const& path, Given& given);

/// The mount point that the file at `path` has, whatever else is in it. Errors: EINVAL, and of
/// reading it, with a sentence.
[[nodiscard]] Result<std::string> MountpointIn(std::string const& path);

}  // namespace tusfs
