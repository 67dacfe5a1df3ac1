// What no setting can know of itself: whether they fit together.
#pragma once

#include "base/error.h"
#include "options/options.h"

namespace tusfs {

/// Errors: EINVAL with a sentence.
[[nodiscard]] Result<void> CheckTogether(Options const& options);

}  // namespace tusfs
