// tusfs --check-config: every setting as a mount would take it, and where it is from.
#pragma once

#include <string>

#include "options/given.h"
#include "options/options.h"

namespace tusfs {

/// One line for each setting: its name, its value without secrets, its origin. An origin is a file
/// with its line, "-o", "command line", "preset", "environment: NAME" or "default". The last lines
/// are of what the environment says beside the settings.
[[nodiscard]] std::string ShowOptions(Options const& options, Given const& given);
/// The same of a mount that runs, of which nobody knows any more who has said what: the origin is
/// "given" or "default".
[[nodiscard]] std::string ShowOptions(Options const& options);

}  // namespace tusfs
