// How a service whose start has failed is kept from being started again at once.
#pragma once

#include <string>

#include "base/logger.h"
#include "keeper/service_manager.h"
#include "options/options.h"

namespace tusfs {

/// Waits as long as the next start is to be put off (FailedStarts), and says so: this process ends
/// behind it, and the service manager starts the next one. Where there is no service manager it
/// does not wait. Returns true as soon as SIGTERM or SIGINT comes: no other start is wanted. `why`:
/// a sentence, or empty where the daemon has said it.
[[nodiscard]] bool PutOffRestart(Options const& options, std::string const& why,
                                 ServiceManager const& manager, Logger const& logger);

/// A mount has become live: the next failure is the first one.
void ForgetFailedStarts(Options const& options);

}  // namespace tusfs
