// What the settings say about publishing, by a file's name: which files never are, and which wait.
//
// Plain values and pure functions of them, set when the mount is made. Paths are relative to the
// mount.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/glob.h"

namespace tusfs {

/// What desktops, editors and copying programs leave beside the files that people mean.
[[nodiscard]] std::vector<std::string> const& DefaultIgnored();

/// `texts` that Glob::Parse accepts.
[[nodiscard]] std::vector<Glob> GlobsOf(std::vector<std::string> const& texts);

struct PublishRules {
  std::vector<Glob> ignored = GlobsOf(DefaultIgnored());
  std::vector<Glob> temporary{};  ///< beside those that FinalNameOf knows

  /// The pattern because of which the file at `path` is never uploaded.
  [[nodiscard]] std::optional<std::string> IgnoredBy(std::string_view path) const;

  /// Whether a file at `path` waits for its rename: it is never finished under this name.
  [[nodiscard]] bool IsTemporary(std::string_view path) const;
};

}  // namespace tusfs
