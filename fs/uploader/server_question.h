// One question to the server on somebody's behalf: whether it is there, and what its clock says.
//
// OPTIONS with the credentials and the TLS of the uploads, and with a connection of its own. Blocks
// for as long as that takes, or until it is stopped; any thread.
#pragma once

#include <tusclient/client.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>

#include "base/clock.h"

namespace tusfs {

struct ServerAnswer {
  tus::Result<tus::ServerInfo> info;
  /// How far its clock is ahead of ours, to about a second; nothing where it does not say.
  std::optional<std::chrono::seconds> clock_ahead{};
  std::chrono::milliseconds took{};
};

[[nodiscard]] ServerAnswer AskServer(
    tus::ClientOptions const& options,
    std::function<std::unique_ptr<tus::HttpTransport>()> const& make_transport, Clock const& clock,
    std::stop_token stop);

}  // namespace tusfs
