// What the options mean for local disk: how much of it, what is kept, and what happens when it is
// full.
#pragma once

#include <cstdint>

#include "base/error.h"
#include "filesystem/reclaim.h"
#include "filesystem/turns.h"
#include "options/options.h"
#include "spool/budget.h"

namespace tusfs {

/// Errors: EINVAL with a sentence, where the options do not fit together.
[[nodiscard]] Result<void> CheckSpace(Options const& options, std::uint64_t chunk_size);

/// `disk`: bytes of the disk that the spool is on.
[[nodiscard]] SpoolLimits SpoolLimitsOf(Options const& options, std::uint64_t disk);
[[nodiscard]] Turns::Options TurnsOf(Options const& options);
[[nodiscard]] ReclaimOptions ReclaimOptionsOf(Options const& options);

}  // namespace tusfs
