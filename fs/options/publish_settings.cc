#include "options/publish_settings.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <string>
#include <vector>

namespace tusfs {
namespace {

/// The rule that decides what files of this very pattern wait for; nullptr where none does.
PathRule const* RuleOf(std::vector<PathRule> const& rules, std::string const& pattern) {
  auto const found = std::ranges::find_if(rules, [&](PathRule const& rule) {
    return !rule.after.empty() && std::ranges::any_of(rule.files, [&](Glob const& glob) {
      return glob.text() == pattern;
    });
  });
  return found == rules.end() ? nullptr : &*found;
}

/// Follows the rules from the last one of `way` on, back to the first one.
bool ComesBack(std::vector<PathRule> const& rules, std::vector<PathRule const*>& way) {
  for (auto const& pattern : way.back()->after) {
    auto const* const next = RuleOf(rules, pattern);
    if (next == nullptr) continue;
    if (next == way.front()) return true;
    if (std::ranges::find(way, next) != way.end()) continue;
    way.push_back(next);
    if (ComesBack(rules, way)) return true;
    way.pop_back();
  }
  return false;
}

/// Rules whose files wait for each other, where their patterns say so themselves.
std::optional<std::string> CircleIn(std::vector<PathRule> const& rules) {
  for (auto const& rule : rules) {
    std::vector<PathRule const*> way{&rule};
    if (!ComesBack(rules, way)) continue;
    std::string places;
    for (auto const* const one : way) places += one->place + ", ";
    return places + "back to " + rule.place +
           ": the files of these rules wait for each other (after): leave one of them out";
  }
  return std::nullopt;
}

}  // namespace

Result<PublishRules> PublishRulesOf(Options const& options) {
  bool const asks =
      std::any_of(options.finish.begin(), options.finish.end(),
                  [](FinishRule const& rule) { return rule.by == FinishBy::kCommand; });
  auto const asking = std::ranges::find(options.rules, FinishBy::kCommand, &PathRule::finish);
  bool const is_asked = asks || asking != options.rules.end();
  if (!asks && is_asked && options.finish_command.empty()) {
    return Fail(EINVAL, asking->place +
                            ": a rule with finish = \"command\" needs --finish-command, the "
                            "program to ask");
  }
  if (asks && options.finish_command.empty()) {
    return Fail(EINVAL, "--finish GLOB=command needs --finish-command, the program to ask");
  }
  if (!is_asked && !options.finish_command.empty()) {
    return Fail(EINVAL,
                "--finish-command is never asked: say for which files with --finish GLOB=command");
  }
  bool const checks =
      std::any_of(options.check.begin(), options.check.end(),
                  [](CheckRule const& rule) { return rule.by != ContentCheck::kNone; });
  if (checks && options.publish_interrupted) {
    return Fail(EINVAL, "--check interrupts what --interrupted=publish publishes: use one of them");
  }
  if (auto const circle = CircleIn(options.rules)) return Fail(EINVAL, *circle);
  return PublishRules{.ignored = GlobsOf(options.ignore),
                      .temporary = GlobsOf(options.temporary),
                      .publish_unknown = options.publish_unknown,
                      .publish_interrupted = options.publish_interrupted,
                      .finish = options.finish,
                      .finish_command = options.finish_command,
                      .check = options.check,
                      .by_path = PathRules(options.rules),
                      .mount = options.mountpoint};
}

FinishingOptions FinishingOptionsOf(Options const& options) {
  return {.settle = {.quiet = options.settle, .limit = options.settle_limit}};
}

WriterEnds::Options WriterEndsOptionsOf(Options const& options) {
  // The quiet time begins a little later, with the release.
  constexpr std::chrono::seconds kLater{1};
  auto const quiet = PathRules(options.rules).LongestSettle(options.settle);
  return {.failures = options.failures, .watched = quiet.count() == 0 ? quiet : quiet + kLater};
}

}  // namespace tusfs
