// What settings name and has to be there before there is a mount: files that are read, programs
// that are run.
#pragma once

#include <string>
#include <vector>

#include "options/options.h"

namespace tusfs {

/// A sentence for each that is missing or may not be used by this process; none: all are there.
/// Of a file nothing is read but whether it can be.
[[nodiscard]] std::vector<std::string> WhatIsMissing(Options const& options);

}  // namespace tusfs
