#include "options/config_rules.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "options/rule_keys.h"
#include "options/toml_values.h"
#include "options/values.h"

namespace tusfs {
namespace {

std::string NamesOfKeys() {
  std::vector<std::string> names;
  for (auto const& key : RuleKeys()) names.emplace_back(key.name);
  return OneOf(names);
}

void ApplyKey(PathRule& rule, std::string const& name, toml::node const& node,
              std::string const& place, Given& given) {
  auto const* const key = FindRuleKey(name);
  if (key == nullptr) {
    return given.AddMistake(place + ": unknown key '" + name + "' of a rule: it has " +
                            NamesOfKeys() + ", see tusfs.toml(5)");
  }
  TomlForm const form{key->kind, key->metavar};
  auto const values = ValuesIn(node, form);
  if (!values) {
    return given.AddMistake(place + ": '" + name + "' of a rule is of another type: it takes " +
                            TypeOf(form) + ": " + key->takes);
  }
  for (auto const& value : *values) {
    if (auto const set = key->set(rule, value); !set) {
      given.AddMistake(place + ": " + name + " of a rule is '" + value +
                       "': " + set.error().context);
    }
  }
}

struct KeyOfFile {
  std::string name;
  toml::node const* node;

  [[nodiscard]] std::uint32_t line() const { return node->source().begin.line; }
};

/// A table has its keys by name, a reader by line.
std::vector<KeyOfFile> ByLine(toml::table const& table) {
  std::vector<KeyOfFile> keys;
  for (auto const& [name, node] : table) keys.push_back({std::string(name.str()), &node});
  std::ranges::stable_sort(keys, {}, &KeyOfFile::line);
  return keys;
}

void ApplyRule(Options& options, toml::table const& table, std::string const& path, Given& given) {
  PathRule rule;
  rule.place = PlaceIn(path, table.source());
  auto const mistakes = given.mistakes().size();
  for (auto const& key : ByLine(table)) {
    ApplyKey(rule, key.name, *key.node, PlaceIn(path, key.node->source()), given);
  }
  if (given.mistakes().size() > mistakes) return;
  if (rule.files.empty()) {
    return given.AddMistake(rule.place +
                            ": a rule has no path: say for which files, such as path = \"*.mov\"");
  }
  if (table.size() == 1) {
    return given.AddMistake(rule.place + ": a rule says nothing of its files: it has " +
                            NamesOfKeys() + ", see tusfs.toml(5)");
  }
  options.rules.push_back(std::move(rule));
}

void CheckLength(Options const& options, std::string const& place, Given& given) {
  std::size_t length = 0;
  for (auto const& rule : options.rules) length += PackRule(rule).size();
  if (length <= kLongestRules) return;
  given.AddMistake(place + ": the rules are longer than " + std::to_string(kLongestRules / 1024) +
                   " KiB together: use patterns that match more files");
}

}  // namespace

void ApplyRules(Options& options, toml::node const& node, std::string const& path, Given& given) {
  auto const place = PlaceIn(path, node.source());
  auto const* const list = node.as_array();
  bool const is_list =
      list != nullptr &&
      std::all_of(list->begin(), list->end(), [](auto& element) { return element.is_table(); });
  if (!is_list) {
    return given.AddMistake(place + ": rules are tables in a list: write [[rule]] above each");
  }
  given.Note("rule", place);
  for (auto const& element : *list) ApplyRule(options, *element.as_table(), path, given);
  CheckLength(options, place, given);
}

}  // namespace tusfs
