// Whether a file is plainly cut off or hollow, by the first and last of its bytes and by what its
// format says of its own length.
//
// A good file is never held: what is of no known format, or does not look like what its name says,
// passes, and so does what is too long-winded to be followed. Nothing is decoded. At most 1 MiB is
// read in at most 4,096 reads, memory does not depend on what the file says. Thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "content/byte_source.h"

namespace tusfs {

/// Why `file` cannot be whole, in words that follow its name; nothing where nothing is known
/// against it. `name`: with the extension that says its format, whatever the letters' case. Errors:
/// of reading.
[[nodiscard]] Result<std::optional<std::string>> WhyNotWhole(ByteSource const& file,
                                                             std::string_view name);

}  // namespace tusfs
