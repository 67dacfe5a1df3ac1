// What settings name and has to be there before there is a mount: files that are read, programs
// that are run.
#pragma once

#include <string>
#include <vector>

#include "options/options.h"

namespace tusfs {

struct Missing {
  std::string setting;  ///< its name
  std::string what;     ///< how the sentence goes on behind the name: "is '/a', which …"
};

/// All that are not there, or that this process may not use; none: all are there. Of a file nothing
/// is read but whether it can be.
[[nodiscard]] std::vector<Missing> WhatIsMissing(Options const& options);

}  // namespace tusfs
