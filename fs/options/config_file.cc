#include "options/config_file.h"

#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string_view>
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

// A number where a name or a path belongs is a mistake, though it could be one.
bool MayBeNumber(Setting const& setting) {
  static constexpr std::array<std::string_view, 5> kNumbers{"N", "SECONDS", "SIZE", "RATE",
                                                            "VERSION"};
  return std::find(kNumbers.begin(), kNumbers.end(), setting.metavar) != kNumbers.end();
}

Result<void> ApplySetting(Options& options, std::string const& name, toml::node const& node) {
  auto const* const setting = FindSetting(name);
  if (setting == nullptr) {
    return Fail(EINVAL, "unknown setting '" + name + "': see tusfs(1) for those that there are");
  }
  auto const values = ValuesOf(node, *setting);
  if (!values || (node.is_number() && !MayBeNumber(*setting))) {
    return Fail(EINVAL,
                "the setting '" + name + "' is of another type: it takes " +
                    (setting->kind == Setting::Kind::kFlag    ? "true or false"
                     : MayBeNumber(*setting)                  ? "a number or text"
                     : setting->kind == Setting::Kind::kValue ? "text in quotes"
                                                              : "a list of texts in quotes"));
  }
  for (auto const& value : *values) {
    if (auto applied = setting->set(options, value); !applied) return applied;
  }
  return {};
}

Result<void> Apply(Options& options, std::string const& name, toml::node const& node) {
  if (name != "url" && name != "mountpoint") return ApplySetting(options, name, node);
  auto const value = node.value_exact<std::string>();
  if (!value) return Fail(EINVAL, "the setting '" + name + "' takes text in quotes");
  (name == "url" ? options.url : options.mountpoint) = *value;
  return {};
}

Result<std::string> ReadConfigFile(std::string const& path) {
  std::error_code unknown;
  if (std::filesystem::is_directory(path, unknown)) {
    return Fail(EISDIR, "the configuration file '" + path + "' is a directory");
  }
  std::ifstream stream(path, std::ios::binary);
  if (!stream) {
    int const code = errno;
    return Fail(code,
                "the configuration file '" + path + "' cannot be read: " + std::strerror(code));
  }
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

Failure At(std::string const& path, toml::source_region const& source, std::string const& what) {
  return Fail(EINVAL, path + ":" + std::to_string(source.begin.line) + ": " + what);
}

}  // namespace

Result<void> ApplyConfigFile(Options& options, std::string const& path) {
  auto const text = ReadConfigFile(path);
  if (!text) return Failure(text.error());
  toml::table table;
  try {
    table = toml::parse(*text, path);
  } catch (toml::parse_error const& error) {
    return At(path, error.source(), std::string(error.description()));
  }
  for (auto const& [key, node] : table) {
    auto const applied = Apply(options, std::string(key.str()), node);
    if (!applied) return At(path, node.source(), applied.error().context);
  }
  return {};
}

}  // namespace tusfs
