// The [[rule]] tables of the configuration file.
#pragma once

#include <toml++/toml.h>

#include <string>

#include "options/given.h"
#include "options/options.h"

namespace tusfs {

/// Adds the rules that `node`, the value of "rule" in the file at `path`, has. What is wrong with
/// one is told with its line, its key, and what that takes.
void ApplyRules(Options& options, toml::node const& node, std::string const& path, Given& given);

}  // namespace tusfs
