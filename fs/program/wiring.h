// The two processes of a mount, put together from their rooms: the keeper, which is what a person
// starts, and the daemon, which the keeper starts.
#pragma once

#include <functional>
#include <string>

#include "base/error.h"
#include "base/logger.h"
#include "keeper/daemon_side.h"
#include "keeper/service_manager.h"
#include "options/options.h"
#include "program/reload.h"

namespace tusfs {

/// Mounts `url` (normalised) and keeps the mount until it ends; calls `on_ready` once it is live.
/// `options` came of `command_line`. Returns the status to exit with. Errors: a sentence;
/// ExitStatusFor says whether another try is of use.
[[nodiscard]] Result<int> KeepMount(CommandLine const& command_line, Options const& options,
                                    std::string const& url, std::function<void()> on_ready,
                                    ServiceManager const& manager, Logger const& logger);

/// Serves the mount that the keeper gives, until it is gone, or until the daemon is to end.
/// Errors: a sentence.
[[nodiscard]] Result<void> ServeMount(Options const& options, std::string const& url,
                                      KeeperLine line, Logger const& logger);

}  // namespace tusfs
