// The heartbeats of a mount, as its options want them.
#pragma once

#include <tusclient/bandwidth.h>
#include <tusclient/credentials.h>

#include <memory>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "base/logger.h"
#include "control/controls.h"
#include "filesystem/report.h"
#include "fleet/heartbeat_sender.h"
#include "options/options.h"

namespace tusfs {

struct HeartbeatParts {
  Options const& options;
  std::string url;                ///< of the mount, normalised; may have a secret
  tus::Credentials* credentials;  ///< may be null
  tus::BandwidthLimit& bandwidth;
  Reporter const& reporter;
  Controls const& controls;
  Clock const& clock;
};

/// Null where none are wanted. What `parts` refers to outlives it. Credentials of the mount's
/// server go to it alone. Errors: a sentence.
[[nodiscard]] Result<std::unique_ptr<HeartbeatSender>> MakeHeartbeats(HeartbeatParts const& parts,
                                                                      Logger logger);

}  // namespace tusfs
