// Moments as documents have them (ISO 8601), in UTC.
#pragma once

#include <optional>
#include <string>

#include "base/clock.h"

namespace tusfs {

/// "2026-11-29T14:02:11Z", to the second.
[[nodiscard]] std::string IsoUtc(FileTime moment);

/// "2026-11-29T14:02:11+00:00", to the second.
[[nodiscard]] std::string IsoWithZone(FileTime moment);

/// "2026-11-29T14:02:11", with a fraction or without, and with "Z", "+01:00" or nothing (UTC)
/// behind it. Nothing for what is none.
[[nodiscard]] std::optional<FileTime> ParseIso(std::string const& text);

}  // namespace tusfs
