#include "uploader/path_rules.h"

#include <algorithm>
#include <set>

#include "uploader/after_pattern.h"

namespace tusfs {
namespace {

bool Matches(PathRule const& rule, std::vector<std::string> const& names) {
  return std::ranges::any_of(rule.files, [&](Glob const& glob) { return glob.Matches(names); });
}

/// What the first rule says of the key that matches and says something of it.
template <typename T>
std::optional<T> FirstWord(std::vector<PathRule> const& rules, std::optional<T> PathRule::*key,
                           std::string_view path) {
  std::optional<std::vector<std::string>> names;
  for (auto const& rule : rules) {
    if (!(rule.*key)) continue;
    if (!names) names = NamesOfPath(path);
    if (Matches(rule, *names)) return rule.*key;
  }
  return std::nullopt;
}

void Replace(std::vector<tus::MetadataTemplate>& templates, tus::MetadataTemplate const& by) {
  std::erase_if(templates, [&](auto const& other) { return other.key == by.key; });
  if (!by.value.empty()) templates.push_back(by);
}

}  // namespace

std::optional<std::chrono::milliseconds> PathRules::SettleOf(std::string_view path) const {
  return FirstWord(rules_, &PathRule::settle, path);
}

std::optional<FinishBy> PathRules::FinishOf(std::string_view path) const {
  return FirstWord(rules_, &PathRule::finish, path);
}

std::optional<Verification> PathRules::VerifyOf(std::string_view path) const {
  return FirstWord(rules_, &PathRule::verify, path);
}

std::optional<StartOf> PathRules::StartOfFile(std::string_view path) const {
  return FirstWord(rules_, &PathRule::start, path);
}

std::optional<Priority> PathRules::PriorityOf(std::string_view path) const {
  return FirstWord(rules_, &PathRule::priority, path);
}

std::vector<Glob> PathRules::AwaitedBy(std::string_view path) const {
  std::vector<Glob> globs;
  std::optional<std::vector<std::string>> names;
  for (auto const& rule : rules_) {
    if (rule.after.empty()) continue;
    if (!names) names = NamesOfPath(path);
    if (!Matches(rule, *names)) continue;
    for (auto const& pattern : rule.after) globs.push_back(FillIn(pattern, path).value());
    break;
  }
  return globs;
}

bool PathRules::SaysAfter() const {
  return std::ranges::any_of(rules_, [](PathRule const& rule) { return !rule.after.empty(); });
}

bool PathRules::SaysPriorities() const {
  return std::ranges::any_of(rules_,
                             [](PathRule const& rule) { return rule.priority.has_value(); });
}

std::vector<tus::MetadataTemplate> PathRules::MetadataOf(
    std::vector<tus::MetadataTemplate> templates, std::string_view path) const {
  if (rules_.empty()) return templates;
  auto const names = NamesOfPath(path);
  std::set<std::string_view> decided;
  for (auto const& rule : rules_) {
    if (rule.metadata.empty() || !Matches(rule, names)) continue;
    for (auto const& said : rule.metadata) {
      if (decided.insert(said.key).second) Replace(templates, said);
    }
  }
  return templates;
}

std::chrono::milliseconds PathRules::ShortestSettle(std::chrono::milliseconds own) const {
  for (auto const& rule : rules_) own = std::min(own, rule.settle.value_or(own));
  return own;
}

std::chrono::milliseconds PathRules::LongestSettle(std::chrono::milliseconds own) const {
  for (auto const& rule : rules_) own = std::max(own, rule.settle.value_or(own));
  return own;
}

}  // namespace tusfs
