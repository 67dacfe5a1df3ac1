// What the options mean for hooks.
#pragma once

#include "hooks/hooks.h"
#include "options/options.h"

namespace tusfs {

[[nodiscard]] HookOptions HookOptionsOf(Options const& options);

}  // namespace tusfs
