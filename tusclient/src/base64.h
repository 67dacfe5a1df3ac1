// Base64 with padding (RFC 4648, section 4), as tus headers have it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tus {

[[nodiscard]] std::string EncodeBase64(std::string_view bytes);

/// Nothing for text of another length than whole groups or with other characters.
[[nodiscard]] std::optional<std::string> DecodeBase64(std::string_view text);

}  // namespace tus
