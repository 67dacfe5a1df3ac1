// Moments as people write them, and as they read them: tusfsctl's --since and --until.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/error.h"

namespace tusfs {

/// "2026-11-29", "2026-11-29 14:00", "14:00" (of today), "today", "yesterday", "now", in the local
/// time zone; "2026-11-29T14:00:00Z"; "@1790000000"; "12h", "90m", "3d": so long before `now`.
/// Errors: EINVAL with a sentence.
[[nodiscard]] Result<FileTime> ParseMoment(std::string const& text, FileTime now);

/// "2026-11-29 14:02:11", in the local time zone.
[[nodiscard]] std::string ShowMoment(FileTime moment);

}  // namespace tusfs
