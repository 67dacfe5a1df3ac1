// tusfs --move-to: the state of a mount that has ended is taken to another server.
#pragma once

#include <string>

#include "options/options.h"

namespace tusfs {

/// Takes the state directory of `options` from its URL to `new_url`, or says what that would send.
/// Prints a line for each file that is not uploaded, and what becomes of all. Returns the status to
/// exit with (exit_status.h).
[[nodiscard]] int MoveState(Options options, std::string const& new_url, bool dry_run);

}  // namespace tusfs
