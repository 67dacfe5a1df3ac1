// Mount units for the mounts of tusfs@.service: what systemd orders other units by
// (RequiresMountsFor=). tusfs is a generator of systemd where it is started as tusfs-generator: it
// writes one for each /etc/tusfs/NAME.toml.
//
// Such a unit mounts nothing: it pulls in the service, comes behind it, and finds its mount there
// (AwaitServiceMount). It is ended before the service, and behind whoever needs it.
#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "base/error.h"

namespace tusfs {

/// Whether a program that was started as `program` (argv[0]) is to write mount units.
[[nodiscard]] bool IsUnitGenerator(std::string const& program);

/// The unit of the mount of tusfs@NAME.service at `mountpoint`.
struct MountUnit {
  std::string file_name;  ///< such as "mnt-rig.mount"
  std::string text;
};

/// Errors: EINVAL with a sentence, where it cannot be one.
[[nodiscard]] Result<MountUnit> MountUnitFor(std::string const& name,
                                             std::string const& mountpoint);

/// Writes one into `units` for each file of settings in `configuration`. Returns what is wrong with
/// those that have none: a sentence each.
[[nodiscard]] std::vector<std::string> WriteMountUnits(std::filesystem::path const& configuration,
                                                       std::filesystem::path const& units);

/// Waits until a tusfs is mounted at `mountpoint`, which `service` is to do. Errors: ETIMEDOUT,
/// with a sentence, where it is not within `limit`.
[[nodiscard]] Result<void> AwaitServiceMount(
    std::string const& service, std::string const& mountpoint,
    std::chrono::milliseconds limit = std::chrono::seconds(60));

}  // namespace tusfs
