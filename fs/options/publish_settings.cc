#include "options/publish_settings.h"

#include <algorithm>
#include <cerrno>

namespace tusfs {

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
