// The keys of a [[rule]] of the configuration file: one row for each, beside the table of settings.
// Rules are in the file only; the keeper hands them to its daemons as words of a command line.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/error.h"
#include "options/settings.h"
#include "uploader/path_rules.h"

namespace tusfs {

struct RuleKey {
  char const* name;
  char const* metavar;  ///< as Setting::metavar
  std::string takes;    ///< as Setting::takes
  Setting::Kind kind;
  /// A list is set once for each of its elements. Errors: EINVAL with what would be right.
  std::function<Result<void>(PathRule&, std::string const&)> set;
  /// What `set` would take, to come to the same; nothing where the rule says nothing of it.
  std::function<std::vector<std::string>(PathRule const&)> get;
};

[[nodiscard]] std::vector<RuleKey> const& RuleKeys();

/// nullptr where there is none.
[[nodiscard]] RuleKey const* FindRuleKey(std::string const& name);

/// All rules of a mount together are at most so long, in bytes of PackRule: each is one word of a
/// daemon's command line.
constexpr std::size_t kLongestRules = 100 * 1024;

/// One word, and the rule that it stands for, without its place. Errors: EINVAL with a sentence.
[[nodiscard]] std::string PackRule(PathRule const& rule);
[[nodiscard]] Result<PathRule> UnpackRule(std::string const& word);

/// What it says, for a person: "path=*.mov, settle=5".
[[nodiscard]] std::string TextOfRule(PathRule const& rule);

}  // namespace tusfs
