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

/// One key of the file.
struct FileKey {
  std::string name;
  toml::node const* node;
  std::string place;  ///< FILE:LINE

  [[nodiscard]] std::uint32_t line() const { return node->source().begin.line; }
  [[nodiscard]] std::string spelt() const { return place + ": " + name; }
};

void ApplySetting(Options& options, FileKey const& key, Given& given) {
  auto const* const setting = FindSetting(key.name);
  if (setting == nullptr) {
    return given.AddMistake(key.place + ": unknown setting '" + key.name +
                            "': see tusfs.toml(5) for those that there are");
  }
  auto const values = ValuesOf(*key.node, *setting);
  if (!values || (key.node->is_number() && !MayBeNumber(*setting))) {
    return given.AddMistake(key.place + ": the setting '" + key.name +
                            "' is of another type: it takes " + TypeInFile(*setting) +
                            (setting->kind == Setting::Kind::kFlag ? "" : ": " + setting->takes));
  }
  for (auto const& value : *values) {
    given.Set(options, *setting, value, key.place, key.spelt());
  }
}

void Apply(Options& options, FileKey const& key, Given& given) {
  if (key.name != "url" && key.name != "mountpoint") {
    return ApplySetting(options, key, given);
  }
  given.Note(key.name, key.place);
  auto const value = key.node->value_exact<std::string>();
  if (!value || value->empty()) {
    return given.AddMistake(key.place + ": the setting '" + key.name +
                            "' takes text in quotes, not empty");
  }
  (key.name == "url" ? options.url : options.mountpoint) = *value;
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

std::string At(std::string const& path, toml::source_region const& source) {
  return path + ":" + std::to_string(source.begin.line);
}

}  // namespace

std::string TypeInFile(Setting const& setting) {
  switch (setting.kind) {
    case Setting::Kind::kFlag:
      return "true or false";
    case Setting::Kind::kValue:
      return MayBeNumber(setting) ? "a number or text" : "text in quotes";
    case Setting::Kind::kList:
      return "a list of texts in quotes";
    case Setting::Kind::kTable:
      return "a table of texts in quotes";
  }
  return {};
}

Result<std::string> MountpointIn(std::string const& path) {
  try {
    auto const text = ReadConfigFile(path);
    if (!text) return Failure(text.error());
    auto const table = toml::parse(*text, path);
    if (auto const mountpoint = table["mountpoint"].value_exact<std::string>()) return *mountpoint;
    return Fail(EINVAL, "it has no mount point");
  } catch (toml::parse_error const& error) {
    return Fail(EINVAL, "line " + std::to_string(error.source().begin.line) + ": " +
                            std::string(error.description()));
  }
}

bool ApplyConfigFile(Options& options, std::string const& path, Given& given) {
  toml::table table;
  try {
    auto const text = ReadConfigFile(path);
    if (!text) {
      given.AddMistake(text.error().context);
      return false;
    }
    table = toml::parse(*text, path);
  } catch (toml::parse_error const& error) {
    given.AddMistake(At(path, error.source()) + ": " + std::string(error.description()));
    return false;
  }
  std::vector<FileKey> keys;
  for (auto const& [name, node] : table) {
    keys.push_back({std::string(name.str()), &node, At(path, node.source())});
  }
  // A table has its keys by name, a reader by line.
  std::stable_sort(keys.begin(), keys.end(),
                   [](FileKey const& a, FileKey const& b) { return a.line() < b.line(); });
  for (auto const& key : keys) Apply(options, key, given);
  return true;
}

}  // namespace tusfs
