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
#include "catalog/tables.h"
#include "spool/spool.h"

namespace tusfs {

struct RecoveryOptions {
  std::string endpoint;   ///< normalised; a state directory belongs to one
  std::string boot_id;    ///< of the running kernel
  std::uint32_t uid = 0;  ///< owner of a new mount's root directory
  std::uint32_t gid = 0;
};

/// * Where the last connection ended orderly (orderly_end.h), files are as that has left them.
/// * Else its handles are closed: a file that was written through one is interrupted unless the
/// last
///   close said clean, and was of the program that had opened it.
/// * After another boot, unfinished files that were not on disk as a whole end at their last synced
///   byte, interrupted. What lies behind is kept (Inode::held).
/// * Inodes without a name are removed with their bytes.
/// Returns the number of the new connection. Errors: a sentence; EXDEV for another endpoint.
[[nodiscard]] Result<std::uint64_t> Recover(Store& store, Spool& spool, Clock const& clock,
                                            RecoveryOptions const& options);

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
