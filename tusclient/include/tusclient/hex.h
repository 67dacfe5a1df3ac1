// Hexadecimal digits, two for each byte, in lower case.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tus {

[[nodiscard]] std::string EncodeHex(std::string_view bytes);

/// Nothing for text that EncodeHex would not have made.
[[nodiscard]] std::optional<std::string> DecodeHex(std::string_view text);

}  // namespace tus
