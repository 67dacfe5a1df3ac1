// Where a server of ours listens, as a person writes it.
#pragma once

#include <string>

#include "base/error.h"

namespace tusfs {

struct ListenAddress {
  std::string host{};  ///< a name or a number, without brackets
  int port = 0;
  std::string path{};  ///< of a unix socket, absolute; then there is no host
};

/// "HOST:PORT", "[IPV6]:PORT", "PORT" on 127.0.0.1, or "unix:/PATH". Errors: EINVAL with what would
/// be right.
[[nodiscard]] Result<ListenAddress> ParseListenAddress(std::string const& text);

}  // namespace tusfs
