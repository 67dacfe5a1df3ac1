// The processes of a mount, put together from their rooms: the keeper, which is what a person
// starts, and the daemon and the importer, which the keeper starts.
#pragma once

#include <functional>
#include <string>

#include "base/error.h"
#include "base/logger.h"
#include "keeper/daemon_side.h"
#include "keeper/import_process.h"
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

/// Takes in what lies beneath the mount of `options`, until all of it is. Returns the status to
/// exit with: 0, or another one where it is to be tried again.
[[nodiscard]] int ImportBeneath(Options const& options, ImportLine const& line);

}  // namespace tusfs
