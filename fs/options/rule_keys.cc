#include "options/rule_keys.h"

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <utility>

#include "options/values.h"
#include "uploader/after_pattern.h"

namespace tusfs {
namespace {

using namespace std::chrono_literals;
using value::Choice, value::Seconds, value::Texts;

constexpr auto kLongestQuiet = 24h;

/// A key of one value.
template <auto kMember, typename Kind>
RuleKey KeyRow(char const* name, char const* metavar, Kind const& kind) {
  return {name,
          metavar,
          kind.Takes(),
          Kind::kKind,
          [kind](PathRule& rule, std::string const& text) -> Result<void> {
            std::decay_t<decltype(*(rule.*kMember))> value{};
            if (auto set = kind.Set(value, text); !set) return set;
            rule.*kMember = value;
            return {};
          },
          [kind](PathRule const& rule) {
            return rule.*kMember ? kind.Get(*(rule.*kMember)) : Texts();
          }};
}

RuleKey PathRow() {
  return {"path",
          "GLOB",
          "a pattern",
          Setting::Kind::kList,
          [](PathRule& rule, std::string const& text) -> Result<void> {
            auto glob = Glob::Parse(text);
            if (!glob) return Failure(glob.error());
            rule.files.push_back(*std::move(glob));
            return {};
          },
          [](PathRule const& rule) {
            Texts texts;
            for (auto const& glob : rule.files) texts.push_back(glob.text());
            return texts;
          }};
}

RuleKey AfterRow() {
  return {"after",
          "GLOB",
          "a pattern, which may have {dir}, {stem} and {name}",
          Setting::Kind::kList,
          [](PathRule& rule, std::string const& text) -> Result<void> {
            if (auto const glob = FillIn(text, "dir/stem.ext"); !glob) return Failure(glob.error());
            rule.after.push_back(text);
            return {};
          },
          [](PathRule const& rule) { return rule.after; }};
}

RuleKey MetadataRow() {
  return {"metadata",
          "KEY=TEMPLATE",
          value::Metadata::Takes(),
          value::Metadata::kKind,
          [](PathRule& rule, std::string const& text) {
            return value::Metadata::Set(rule.metadata, text);
          },
          [](PathRule const& rule) { return value::Metadata::Get(rule.metadata); }};
}

std::vector<RuleKey> MakeRuleKeys() {
  using R = PathRule;
  Choice<StartOf> const start({{"streaming", StartOf::kStreaming}, {"closed", StartOf::kClosed}});
  Choice<Priority> const priority(
      {{"high", Priority::kHigh}, {"normal", Priority::kNormal}, {"low", Priority::kLow}});
  return {
      PathRow(),
      MetadataRow(),
      KeyRow<&R::settle>("settle", "SECONDS", Seconds(kLongestQuiet)),
      KeyRow<&R::finish>("finish", "WHEN", Choice<FinishBy>(WordsOfFinish())),
      KeyRow<&R::verify>("verify", "HOW", Choice<Verification>(WordsOfVerify())),
      KeyRow<&R::start>("start", "WHEN", start),
      KeyRow<&R::priority>("priority", "WHICH", priority),
      AfterRow(),
  };
}

}  // namespace

std::vector<RuleKey> const& RuleKeys() {
  static std::vector<RuleKey> const keys = MakeRuleKeys();
  return keys;
}

RuleKey const* FindRuleKey(std::string const& name) {
  auto const found = std::ranges::find_if(RuleKeys(), [&](auto& key) { return name == key.name; });
  return found == RuleKeys().end() ? nullptr : &*found;
}

std::string PackRule(PathRule const& rule) {
  auto json = nlohmann::json::array();
  for (auto const& key : RuleKeys()) {
    for (auto const& text : key.get(rule)) json.push_back({key.name, text});
  }
  // TOML is UTF-8, and so is what comes of it.
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

Result<PathRule> UnpackRule(std::string const& word) {
  auto const json = nlohmann::json::parse(word, nullptr, false);
  PathRule rule;
  for (auto const& pair : json) {
    bool const is_pair =
        pair.is_array() && pair.size() == 2 && pair[0].is_string() && pair[1].is_string();
    auto const* const key = is_pair ? FindRuleKey(pair[0].get<std::string>()) : nullptr;
    if (key == nullptr)
      return Fail(EINVAL, "rules are for the file of --config: see tusfs.toml(5)");
    if (auto set = key->set(rule, pair[1].get<std::string>()); !set) return Failure(set.error());
  }
  if (rule.files.empty())
    return Fail(EINVAL, "rules are for the file of --config: see tusfs.toml(5)");
  return rule;
}

std::string TextOfRule(PathRule const& rule) {
  std::string all;
  for (auto const& key : RuleKeys()) {
    for (auto const& text : key.get(rule)) {
      all += (all.empty() ? "" : ", ") + std::string(key.name) + "=" + text;
    }
  }
  return all;
}

}  // namespace tusfs
