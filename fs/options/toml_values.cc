#include "options/toml_values.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <sstream>

namespace tusfs {
namespace {

std::optional<std::string> TextOf(toml::node const& node) {
  if (auto const text = node.value_exact<std::string>()) return *text;
  if (auto const flag = node.value_exact<bool>()) return *flag ? "true" : "false";
  if (auto const number = node.value_exact<std::int64_t>()) return std::to_string(*number);
  if (auto const number = node.value_exact<double>()) {
    std::ostringstream text;
    text << *number;
    return text.str();
  }
  return std::nullopt;
}

// A number where a name or a path belongs is a mistake, though it could be one.
bool MayBeNumber(TomlForm const& form) {
  static constexpr std::array<std::string_view, 5> kNumbers{"N", "SECONDS", "SIZE", "RATE",
                                                            "VERSION"};
  return std::find(kNumbers.begin(), kNumbers.end(), form.metavar) != kNumbers.end();
}

}  // namespace

std::optional<std::vector<std::string>> ValuesIn(toml::node const& node, TomlForm const& form) {
  if (node.is_number() && !MayBeNumber(form)) return std::nullopt;
  if (auto const text = TextOf(node)) return std::vector{*text};
  bool const is_table = form.kind == Setting::Kind::kTable;
  if (form.kind != Setting::Kind::kList && !is_table) return std::nullopt;
  std::vector<std::string> values;
  if (auto const* const list = node.as_array()) {
    for (auto const& element : *list) {
      auto const text = TextOf(element);
      if (!text) return std::nullopt;
      values.push_back(*text);
    }
    return values;
  }
  if (auto const* const table = node.as_table(); table != nullptr && is_table) {
    for (auto const& [key, element] : *table) {
      auto const text = TextOf(element);
      if (!text) return std::nullopt;
      values.push_back(std::string(key.str()) + "=" + *text);
    }
    return values;
  }
  return std::nullopt;
}

std::string TypeOf(TomlForm const& form) {
  switch (form.kind) {
    case Setting::Kind::kFlag:
      return "true or false";
    case Setting::Kind::kValue:
      return MayBeNumber(form) ? "a number or text" : "text in quotes";
    case Setting::Kind::kList:
      return "a list of texts in quotes";
    case Setting::Kind::kTable:
      return "a table of texts in quotes";
  }
  return {};
}

std::string PlaceIn(std::string const& path, toml::source_region const& source) {
  return path + ":" + std::to_string(source.begin.line);
}

}  // namespace tusfs
