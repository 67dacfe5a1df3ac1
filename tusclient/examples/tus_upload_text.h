// Text for people: sizes, times, names.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace tus_upload {

/// Without the control characters that a terminal would obey; they become question marks.
[[nodiscard]] std::string Printable(std::string_view text);

/// `name` in quotes, printable.
[[nodiscard]] std::string Quoted(std::string_view name);

/// The last `columns` characters of UTF-8, the first of them an ellipsis where there are more: of a
/// path the end says most.
[[nodiscard]] std::string Shortened(std::string const& text, std::size_t columns);

/// "12.3 MiB"
[[nodiscard]] std::string Bytes(std::uint64_t bytes);

/// "0:07", "1:02:03"
[[nodiscard]] std::string Duration(std::chrono::seconds time);

/// In hexadecimal, of a SHA-256: for what has to be told apart by a short name.
[[nodiscard]] std::string DigestOfText(std::string_view text);

}  // namespace tus_upload
