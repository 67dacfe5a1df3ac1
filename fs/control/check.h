// What of a mount's status is worth waking somebody for, and what a person may do about a file.
//
// Pure functions of the daemon's answers (answers.h).
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"

namespace tusfs {

/// The exit statuses of monitoring plugins.
enum class Health { kOk = 0, kWarning = 1, kCritical = 2 };

struct CheckResult {
  Health health = Health::kOk;
  std::string sentence;  ///< for a person; in one line, without '|'
  std::string numbers;   ///< "NAME=VALUE…", as monitoring plugins have them
};

/// `status`: with the keeper's words; without a server where no daemon answers. Critical: no
/// daemon, or something waits for longer than `max_age`. A warning: what needs a person, what
/// could not be taken in from beneath the mount, a server
/// that cannot be used, writers that wait for room, sending that is paused, the keeper's problem.
[[nodiscard]] CheckResult CheckMount(nlohmann::json const& status,
                                     std::optional<std::chrono::seconds> max_age);

/// "TUSFS WARNING - …|…", of several mounts with the worst first.
[[nodiscard]] std::string ShowCheck(std::vector<CheckResult> results);

/// "90", "90s", "15m", "2h", "1d". Errors: EINVAL with a sentence.
[[nodiscard]] Result<std::chrono::seconds> ParseDuration(std::string const& text);

/// Whether a file of "unfinished" waits for somebody.
[[nodiscard]] bool NeedsSomebody(nlohmann::json const& file);

/// What he can do, one way after the other, with commands that can be run. `path`: absolute.
[[nodiscard]] std::vector<std::string> WaysOut(nlohmann::json const& file, std::string const& path);
/// The same in one line.
[[nodiscard]] std::string AdviceFor(nlohmann::json const& file, std::string const& path);

}  // namespace tusfs
