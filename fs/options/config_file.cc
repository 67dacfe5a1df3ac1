#include "options/config_file.h"

#include <toml++/toml.h>

#include <cerrno>
#include <cstdint>
#include <optional>
#include <sstream>
#include <vector>

#include "options/settings.h"

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

// A list may be written as one, and pairs as a table.
std::optional<std::vector<std::string>> ValuesOf(toml::node const& node, Setting const& setting) {
  if (auto const text = TextOf(node)) return std::vector{*text};
  bool const is_table = setting.kind == Setting::Kind::kTable;
  if (setting.kind != Setting::Kind::kList && !is_table) return std::nullopt;
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

Result<void> ApplySetting(Options& options, std::string const& name, toml::node const& node) {
  auto const* const setting = FindSetting(name);
  auto const values = setting != nullptr ? ValuesOf(node, *setting) : std::nullopt;
  if (!values) {
    return Fail(EINVAL, (setting == nullptr ? "unknown setting '" + name + "'"
                                            : "the setting '" + name + "' is of another type") +
                            ": see tusfs(1) for those that there are");
  }
  for (auto const& value : *values) {
    if (auto applied = setting->set(options, value); !applied) return applied;
  }
  return {};
}

}  // namespace

Result<void> ApplyConfigFile(Options& options, std::string const& path) {
  toml::table table;
  try {
    table = toml::parse_file(path);
  } catch (toml::parse_error const& error) {
    std::ostringstream where;
    where << path << ":" << error.source().begin.line << ": " << error.description();
    return Fail(EINVAL, where.str());
  }
  for (auto const& [key, node] : table) {
    std::string const name(key.str());
    if (name == "url" || name == "mountpoint") {
      auto const value = TextOf(node);
      if (!value) return Fail(EINVAL, path + ": the setting '" + name + "' is not text");
      (name == "url" ? options.url : options.mountpoint) = *value;
    } else if (auto applied = ApplySetting(options, name, node); !applied) {
      return Fail(EINVAL, path + ": " + applied.error().context);
    }
  }
  return {};
}

}  // namespace tusfs
