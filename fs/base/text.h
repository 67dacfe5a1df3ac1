// Text for people from bytes of anybody.
#pragma once

#include <string>
#include <string_view>

namespace tusfs {

/// `text` with its control characters as \\xHH: a file's name cannot forge a line of a log or move
/// a terminal's cursor.
[[nodiscard]] std::string Printable(std::string_view text);

}  // namespace tusfs
