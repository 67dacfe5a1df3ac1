// Text for people from bytes of anybody.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tusfs {

/// `text` with its control characters as \\xHH, those that turn the direction of text among them: a
/// file's name cannot forge a line of a log, move a terminal's cursor, or look like another one.
[[nodiscard]] std::string Printable(std::string_view text);

/// "0 B", "17.3 MiB".
[[nodiscard]] std::string ShowBytes(std::uint64_t bytes);

/// `text`, Printable, as HTML has it between tags and in quoted attributes.
[[nodiscard]] std::string EscapeHtml(std::string_view text);

/// Whether `path` is `top` or beneath it; both relative to the mount, and everything is beneath "".
[[nodiscard]] bool IsAtOrBeneath(std::string_view path, std::string_view top);

/// "1 file waits", "2 files wait", of "file waits" and "files wait".
[[nodiscard]] std::string Counted(std::uint64_t count, std::string_view one, std::string_view more);

}  // namespace tusfs
