// Who may see the page, and who may press its buttons: plain functions of a request's headers.
//
// The token shows that somebody was sent here by the mount's owner. It comes once in the address,
// and is a cookie from then on. That a browser was not led here by somebody else's page is seen by
// the host that it asks for and, where something is to be done, by the origin that it names.
#pragma once

#include <string>
#include <string_view>

#include "base/listen_address.h"

namespace tusfs {

class PageGuard {
 public:
  /// `token`: as ReadAccessToken has it. `mount` tells its cookie from that of another mount of
  /// this machine, because cookies know no ports.
  PageGuard(ListenAddress const& address, std::string token, std::string const& mount);

  /// Whether the Host header names this machine: by a number, as localhost, by its own name, or as
  /// the address that it listens on was written. A name of somebody else's that leads here is the
  /// way of DNS rebinding. Over a unix socket any name will do.
  [[nodiscard]] bool IsOurHost(std::string_view host) const;

  /// Whether a request that changes something comes from a page of ours: `origin` and `host` are
  /// its headers.
  [[nodiscard]] static bool IsOurOrigin(std::string_view origin, std::string_view host);

  [[nodiscard]] bool IsToken(std::string_view given) const;
  /// `cookies`: the Cookie header.
  [[nodiscard]] bool HasToken(std::string_view cookies) const;
  /// The value of a Set-Cookie header, for a year. No script sees it.
  [[nodiscard]] std::string Cookie() const;

 private:
  bool const is_unix_;
  std::string const host_;     ///< as it was written
  std::string const machine_;  ///< its name
  std::string const token_;
  std::string const cookie_;  ///< its name
};

/// Where a browser on another machine finds what listens there: "http://rig:8080/", or
/// "unix:/PATH".
[[nodiscard]] std::string AddressForBrowsers(ListenAddress const& address);

}  // namespace tusfs
