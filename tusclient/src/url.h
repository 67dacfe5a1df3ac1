// URLs as tus needs them: http and https only, no user names in them, and https is never left.
#pragma once

#include <string>

#include "tusclient/error.h"

namespace tus {

/// Who answers under a URL. Credentials are sent to one origin only.
struct Origin {
  std::string scheme;  ///< "http" or "https"
  std::string host;    ///< lower case, in ASCII (IDNA); IPv6 in brackets
  std::string port;    ///< always there

  bool operator==(Origin const&) const = default;

  /// scheme://host, and the port where it is not the scheme's own. Free of secrets.
  [[nodiscard]] std::string Text() const;
};

/// Errors: kInvalidArgument, as for NormalizeEndpoint.
[[nodiscard]] Result<Origin> OriginOf(std::string const& url);

/// What follows the origin in a normalized URL: path and query.
[[nodiscard]] std::string PathOf(std::string const& url);

/// Resolves `reference` (a Location, absolute or relative) against the absolute URL `base`.
/// Where `base` is https and `reference` is http on the same host, the result is https, because
/// misconfigured proxies make servers say so. Errors: kProtocol for another scheme, for user names
/// and for http on another host; the message does not repeat the URL.
[[nodiscard]] Result<std::string> ResolveUrl(std::string const& base, std::string const& reference);

/// Whether two normalized URLs are the same but for a slash at the end of the path.
[[nodiscard]] bool DifferInSlash(std::string const& one, std::string const& other);

}  // namespace tus
