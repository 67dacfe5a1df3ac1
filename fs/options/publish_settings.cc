#include "options/publish_settings.h"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <map>
#include <sstream>

namespace tusfs {
namespace {

constexpr char const* kNone = "none";  // empties a list that has a default

Result<FinishRule> ParseFinish(std::string const& value) {
  static std::map<std::string, FinishBy> const words{{"close", FinishBy::kClose},
                                                     {"rename", FinishBy::kRename},
                                                     {"command", FinishBy::kCommand},
                                                     {"manual", FinishBy::kManual}};
  auto const equals = value.rfind('=');
  auto const by = words.find(equals == std::string::npos ? "" : value.substr(equals + 1));
  if (by == words.end()) {
    return InvalidValue("finish", value,
                        "it takes GLOB=WHEN, where WHEN is close, rename, command or manual");
  }
  auto glob = Glob::Parse(value.substr(0, equals));
  if (!glob) return InvalidValue("finish", value, glob.error().context);
  return FinishRule{*std::move(glob), by->second};
}

std::vector<std::string> Words(std::string const& text) {
  std::istringstream in(text);
  return {std::istream_iterator<std::string>(in), {}};
}

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
      {"copiers", "PROGRAM",
       "whose copies are whole only if the source was read to its end; none: forget the usual",
       Setting::Kind::kList,
       [](Options& options, std::string const& value) -> Result<void> {
         if (value.empty() || value.find('/') != std::string::npos) {
           return InvalidValue("copiers", value, "it takes the name of a program, such as cp");
         }
         if (value == kNone) {
           options.copiers.clear();
         } else {
           options.copiers.push_back(value);
         }
         return {};
       },
       [](Options const& options) { return Added(options.copiers, Options().copiers); }},
      {"finish", "GLOB=WHEN", "when a file is finished: close, rename, command or manual",
       Setting::Kind::kList,
       [](Options& options, std::string const& value) -> Result<void> {
         if (auto const rule = ParseFinish(value); !rule) return Failure(rule.error());
         options.finish.push_back(value);
         return {};
       },
       [](Options const& options) { return options.finish; }},
  };
}

Result<PublishRules> PublishRulesOf(Options const& options) {
  PublishRules rules;
  rules.ignored = GlobsOf(options.ignore);
  rules.temporary = GlobsOf(options.temporary);
  rules.publish_unknown = options.unknown == "publish";
  rules.publish_interrupted = options.interrupted == "publish";
  rules.finish_command = Words(options.finish_command);
  rules.mount = options.mountpoint;
  bool asks = false;
  for (auto const& text : options.finish) {
    auto rule = ParseFinish(text);
    if (!rule) return Failure(rule.error());
    asks = asks || rule->by == FinishBy::kCommand;
    rules.finish.push_back(*std::move(rule));
  }
  if (asks && rules.finish_command.empty()) {
    return Fail(EINVAL, "--finish GLOB=command needs --finish-command, the program to ask");
  }
  if (!asks && !rules.finish_command.empty()) {
    return Fail(EINVAL,
                "--finish-command is never asked: say for which files with --finish GLOB=command");
  }
  return rules;
}

}  // namespace tusfs
