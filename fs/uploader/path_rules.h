// What the rules of the configuration file ([[rule]]) say of the files whose paths match them.
//
// The first rule that matches and says something of a key decides that key, of metadata each KEY by
// itself; where none does, the mount's own setting counts. Nothing of it is kept in the catalog:
// what a path means is asked anew each time, so that a rename and another configuration count for
// what has not been done yet. Plain values and pure functions of them; paths are relative to the
// mount.
#pragma once

#include <tusclient/preset.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/glob.h"
#include "uploader/finish_by.h"
#include "uploader/priority.h"
#include "uploader/verification.h"

namespace tusfs {

/// When the first bytes of a file may be sent.
enum class StartOf {
  kStreaming,  ///< while it is being written
  kClosed,     ///< when it is finished
};

/// One rule; what it says nothing of is nothing.
struct PathRule {
  std::vector<Glob> files;  ///< it is for those that match one of them
  std::optional<std::chrono::milliseconds> settle{};
  std::optional<FinishBy> finish{};
  std::optional<Verification> verify{};
  std::vector<tus::MetadataTemplate> metadata{};  ///< an empty value leaves the key out
  std::optional<StartOf> start{};
  std::optional<Priority> priority{};
  std::vector<std::string> after{};  ///< patterns as FillIn takes them (after_pattern.h)
  std::string place{};               ///< FILE:LINE, for a person; a daemon has none
};

class PathRules {
 public:
  PathRules() = default;
  explicit PathRules(std::vector<PathRule> rules) : rules_(std::move(rules)) {}

  [[nodiscard]] std::optional<std::chrono::milliseconds> SettleOf(std::string_view path) const;
  [[nodiscard]] std::optional<FinishBy> FinishOf(std::string_view path) const;
  [[nodiscard]] std::optional<Verification> VerifyOf(std::string_view path) const;
  [[nodiscard]] std::optional<StartOf> StartOfFile(std::string_view path) const;
  [[nodiscard]] std::optional<Priority> PriorityOf(std::string_view path) const;

  /// Those that the file at `path` is to be published after.
  [[nodiscard]] std::vector<Glob> AwaitedBy(std::string_view path) const;

  /// Whether there is any file that may have to wait so.
  [[nodiscard]] bool SaysAfter() const;

  /// Whether there is any file that does not simply go in its turn.
  [[nodiscard]] bool SaysPriorities() const;

  /// `templates`, the mount's own, with what the rules say of the file at `path`.
  [[nodiscard]] std::vector<tus::MetadataTemplate> MetadataOf(
      std::vector<tus::MetadataTemplate> templates, std::string_view path) const;

  /// Of all quiet times that a file may have, the mount's own among them.
  [[nodiscard]] std::chrono::milliseconds ShortestSettle(std::chrono::milliseconds own) const;
  [[nodiscard]] std::chrono::milliseconds LongestSettle(std::chrono::milliseconds own) const;

  [[nodiscard]] std::vector<PathRule> const& all() const { return rules_; }

 private:
  std::vector<PathRule> rules_;
};

}  // namespace tusfs
