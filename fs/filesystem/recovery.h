// What has to be put right before a mount serves: the end of the last connection, and of the last
// boot. Runs once, before the filesystem and the uploader start; everything it decides is durable
// when it returns.
#pragma once

#include <filesystem>
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
/// * Inodes without a name, and spool files that nothing refers to, are removed.
/// Returns the number of the new connection. Errors: a sentence; EXDEV for another endpoint.
[[nodiscard]] Result<std::uint64_t> Recover(Store& store, Spool& spool, Clock const& clock,
                                            RecoveryOptions const& options, Logger logger);

/// A catalog that has never had a mount knows of no bytes: a spool that has some belongs to one
/// that was lost. It is renamed to spool.lost-TIME beside itself; returns the new name, empty where
/// there was nothing to do. For before the spool is opened.
[[nodiscard]] Result<std::filesystem::path> SetLostSpoolAside(Store const& store,
                                                              Clock const& clock,
                                                              std::filesystem::path const& spool);

/// The running kernel's boot id.
[[nodiscard]] Result<std::string> ReadBootId();

}  // namespace tusfs
