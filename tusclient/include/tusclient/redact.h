// What of a URL may be seen: logs, process lists and mount tables are read by everybody.
#pragma once

#include <string>
#include <string_view>

namespace tus {

/// `url` with "***" for its user name and password, and for what is behind "?" or "#": tokens are
/// there. Any text will do; what is no URL is cut at "?" and "#" as well.
[[nodiscard]] std::string RedactUrl(std::string_view url);

/// Whether RedactUrl would hide something.
[[nodiscard]] bool HasSecret(std::string_view url);

}  // namespace tus
