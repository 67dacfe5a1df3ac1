// tusfsctl doctor: what of the machine, of a mount and of its server is as it has to be, each with
// the way out where it is not.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace tusfs {

struct Place;

struct Finding {
  enum class Level { kOk, kWarning, kBad };
  Level level = Level::kOk;
  std::string topic;     ///< one word
  std::string sentence;  ///< with the way out
};

/// What the machine is like.
[[nodiscard]] std::vector<Finding> ExamineMachine();

/// Of what the daemon says: two answers to "status", `seconds` apart.
[[nodiscard]] std::vector<Finding> ExamineSpool(nlohmann::json const& before,
                                                nlohmann::json const& after, double seconds);
/// Of its answer to "ask-server", and its status.
[[nodiscard]] std::vector<Finding> ExamineServer(nlohmann::json const& answer,
                                                 nlohmann::json const& status);
/// The filesystem of the state directory.
[[nodiscard]] std::vector<Finding> ExamineDisk(std::string const& state_dir);

/// Of one mount, by what AskStatus has said of it and by its disk: nobody is asked.
[[nodiscard]] std::vector<Finding> ExamineHere(Place const& place, nlohmann::json const& status);

/// "ok    kernel  …", one line each.
[[nodiscard]] std::string ShowFindings(std::vector<Finding> const& findings);

/// Examines the machine, and the mount of `path` or all there are. Returns kDone, kStuck where
/// something is not as it has to be, or kNoAnswer where `path` is in no mount.
[[nodiscard]] int Doctor(std::string const& path, bool as_json);

}  // namespace tusfs
