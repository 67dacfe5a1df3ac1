// tusfsctl status, mounts and list: what there is, for people, scripts and monitoring.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "control/place.h"

namespace tusfs {

struct AskedStatus {
  nlohmann::json status;  ///< of the keeper, and of the daemon where it answers
  std::string silent;     ///< why it does not
};
[[nodiscard]] AskedStatus AskStatus(Place const& place);

/// What the keeper knows, which is there without a daemon too.
[[nodiscard]] nlohmann::json AboutProcesses(MountEntry const& entry, bool daemon_answers);

struct StatusOptions {
  std::string path{};
  bool as_json = false;
  bool all = false;    ///< of all mounts
  bool check = false;  ///< for monitoring: one line, and Health as the exit status
  std::optional<std::chrono::seconds> max_age{};
};
[[nodiscard]] int ShowStatus(StatusOptions const& options);

/// One line for each mount.
[[nodiscard]] int ShowMounts(bool as_json);

/// The link that lets a person's browser in, once; it has a secret in it.
[[nodiscard]] int ShowPageLink(std::string const& path);

struct ListOptions {
  std::string path{};
  bool as_json = false;
  bool urls = false;
  bool stuck = false;  ///< what needs somebody, with what to do
};
[[nodiscard]] int ListFiles(ListOptions const& options);

}  // namespace tusfs
