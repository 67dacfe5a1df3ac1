// What tusfsctl does to a running mount: pause, limit, drain, unmount, restart.
//
// Each finds the mount of `path` (empty: the only one there is), and returns an exit status of
// outcome.h, with a sentence on standard error where it is not kDone.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/error.h"

namespace tusfs {

/// Starts the installed program in place of the daemon, and waits until it serves.
[[nodiscard]] int Restart(std::string const& path);

/// Has the keeper read the configuration again, and waits until the daemon serves with it, or the
/// keeper refuses it.
[[nodiscard]] int Reload(std::string const& path);
/// The same of the mount that this process keeps.
[[nodiscard]] int ReloadOfKeeper(pid_t keeper);

/// A command that has no answer but its success; `more`: its fields.
[[nodiscard]] int Steer(std::string const& path, char const* command,
                        nlohmann::json const& more = {});

/// Waits until everything that can be uploaded is; not while sending is paused, when that is never.
/// `timeout`: seconds.
[[nodiscard]] int Drain(std::string const& path, std::optional<double> timeout);

/// Unmounts as umount(8) does, and waits until everything that was closed is on disk. `drain`: when
/// it is uploaded; where something is left, the mount stays.
[[nodiscard]] int Unmount(std::string const& path, bool drain, std::optional<double> timeout);

/// "10MiB", "500KiB", "1000"; "none" is 0. Errors: EINVAL with a sentence.
[[nodiscard]] Result<std::uint64_t> ParseRate(std::string const& text);

}  // namespace tusfs
