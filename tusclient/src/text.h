// Small helpers over text that a server sent: never trusted, never passed on unread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tus {

[[nodiscard]] bool EqualsIgnoreCase(std::string_view a, std::string_view b);

/// Position of `needle` in `text`, compared without case; npos where it is not.
[[nodiscard]] std::size_t FindIgnoreCase(std::string_view text, std::string_view needle);

/// Without the blanks (space, tab, CR, LF) at both ends.
[[nodiscard]] std::string_view Trim(std::string_view text);

/// The trimmed, non-empty elements of a comma-separated header value.
[[nodiscard]] std::vector<std::string_view> SplitList(std::string_view value);

/// The whole of `text` as a decimal number up to 2^63 - 1: no sign, no blanks, nothing after it.
/// The limit is what a file offset can hold.
[[nodiscard]] std::optional<std::uint64_t> ParseDecimal(std::string_view text);

/// So many seconds after 1970, or the last whole second that the clock can count to, in 2262:
/// "never" is often said with the year 9999.
[[nodiscard]] std::chrono::system_clock::time_point TimeOf(std::uint64_t seconds);

/// The first line of `text` that is not blank, fit for a terminal and for JSON: no control
/// characters, valid UTF-8, at most `limit` bytes.
[[nodiscard]] std::string FirstWords(std::string_view text, std::size_t limit);

}  // namespace tus
