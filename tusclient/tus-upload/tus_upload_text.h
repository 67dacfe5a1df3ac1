// Text for people: sizes, times, names.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tus_upload {

/// Without the control characters that a terminal would obey; they become question marks.
[[nodiscard]] std::string Printable(std::string_view text);

/// `name` in quotes, printable.
[[nodiscard]] std::string Quoted(std::string_view name);

/// Letters, digits and -._~/ as they are, every other byte as % and two hexadecimal digits.
[[nodiscard]] std::string PercentEncoded(std::string_view bytes);

/// The last `columns` characters of UTF-8, the first of them an ellipsis where there are more: of a
/// path the end says most.
[[nodiscard]] std::string Shortened(std::string const& text, std::size_t columns);

/// "12.3 MiB"
[[nodiscard]] std::string Bytes(std::uint64_t bytes);

/// "12.0 MiB of 40.0 MiB", or the first alone while the size is not known.
[[nodiscard]] std::string HowFar(std::uint64_t offset, std::optional<std::uint64_t> size);

/// "12.3 MiB/s"
[[nodiscard]] std::string Rate(double bytes_per_second);

/// "0:07", "1:02:03"
[[nodiscard]] std::string Duration(std::chrono::seconds time);

/// In hexadecimal, of a SHA-256: for what has to be told apart by a short name.
[[nodiscard]] std::string DigestOfText(std::string_view text);

}  // namespace tus_upload
