// What comes before a mount serves. A new connection: Recover puts right what the end of the last
// connection, and of the last boot, has left. A successor on a connection that lives: Resume, then
// Filesystem::TakeOver. They run once, before the filesystem and the uploader start, and take no
// longer for many uploaded files; everything that they decide is durable when they return.
// SweepLeftovers follows in the background.
#pragma once

#include <stop_token>
#include <string>

#include "base/clock.h"
#include "base/error.h"
#include "base/logger.h"
#include "catalog/store.h"
#include "spool/spool.h"

namespace tusfs {

struct RecoveryOptions {
  std::string endpoint;   ///< normalised; a state directory belongs to one
  std::string boot_id;    ///< of the running kernel
  std::uint32_t uid = 0;  ///< owner of a new mount's root directory
  std::uint32_t gid = 0;
};

/// * Handles of the last connection are closed: a file that was written through one and whose last
///   close did not say clean is interrupted.
/// * After another boot, files that were not finished end at their last synced byte, interrupted.
/// * Inodes without a name are removed with their bytes.
/// Returns the number of the new connection. Errors: a sentence; EXDEV for another endpoint.
[[nodiscard]] Result<std::uint64_t> Recover(Store& store, Spool& spool, Clock const& clock,
                                            RecoveryOptions const& options, Logger logger);

/// Whether a successor may go on with the connection `connection` as it is: the state is that of
/// this endpoint, boot and connection. Changes nothing. Errors: ESTALE, with a sentence that says
/// what to do.
[[nodiscard]] Result<void> Resume(Store const& store, RecoveryOptions const& options,
                                  std::uint64_t connection);

/// Removes the spool files of earlier processes that nothing refers to: a daemon that was killed
/// had not come to it.
/// For a thread of its own, while the filesystem works; waits for the disk, never holds the store
/// for long, and ends early when it is told to stop. Returns how many it removed.
[[nodiscard]] Result<std::uint64_t> SweepLeftovers(Store& store, Spool& spool,
                                                   std::stop_token stop);

/// The running kernel's boot id.
[[nodiscard]] Result<std::string> ReadBootId();

}  // namespace tusfs
