#include "publish_settings.h"

#include <algorithm>

namespace tusfs {
namespace {

constexpr char const* kNone = "none";  // empties a list that has a default

Result<void> AddPattern(char const* name, std::vector<std::string>& list,
                        std::string const& value) {
  if (auto const glob = Glob::Parse(value); !glob) {
    return InvalidValue(name, value, glob.error().context);
  }
  list.push_back(value);
  return {};
}

// What comes to the same list, where `defaults` are there from the beginning.
std::vector<std::string> Added(std::vector<std::string> const& list,
                               std::vector<std::string> const& defaults) {
  auto const kept = std::mismatch(defaults.begin(), defaults.end(), list.begin(), list.end());
  if (kept.first == defaults.end()) return {kept.second, list.end()};
  std::vector<std::string> all{kNone};
  all.insert(all.end(), list.begin(), list.end());
  return all;
}

}  // namespace

std::vector<Setting> PublishSettings() {
  return {
      {"ignore", "GLOB", "never upload such files, in addition to the usual ones; none: all are",
       Setting::Kind::kList,
       [](Options& options, std::string const& value) -> Result<void> {
         if (value != kNone) return AddPattern("ignore", options.ignore, value);
         options.ignore.clear();
         return {};
       },
       [](Options const& options) { return Added(options.ignore, DefaultIgnored()); }},
      {"temporary", "GLOB", "such files wait for a rename, as those of browsers and rsync do",
       Setting::Kind::kList,
       [](Options& options, std::string const& value) {
         return AddPattern("temporary", options.temporary, value);
       },
       [](Options const& options) { return options.temporary; }},
  };
}

Result<PublishRules> PublishRulesOf(Options const& options) {
  PublishRules rules;
  rules.ignored = GlobsOf(options.ignore);
  rules.temporary = GlobsOf(options.temporary);
  return rules;
}

}  // namespace tusfs
