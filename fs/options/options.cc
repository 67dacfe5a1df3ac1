#include "options/options.h"

#include <toml++/toml.h>
#include <tusclient/redact.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <functional>
#include <map>
#include <set>
#include <sstream>

#include "options/places.h"
#include "options/settings.h"
#include "version.h"

namespace tusfs {
namespace {

constexpr int kUsageError = 2;

// ---- -o

// What mount(8) and fstab(5) have for themselves, and what a mount of FUSE shows in mountinfo,
// which mount(8) repeats when it remounts.
bool IsForMountPrograms(std::string const& name) {
  static std::set<std::string> const ignored{"rw",
                                             "defaults",
                                             "auto",
                                             "noauto",
                                             "user",
                                             "nouser",
                                             "users",
                                             "owner",
                                             "noowner",
                                             "group",
                                             "nogroup",
                                             "_netdev",
                                             "nofail",
                                             "default_permissions",
                                             "async",
                                             "relatime",
                                             "norelatime",
                                             "strictatime",
                                             "nostrictatime",
                                             "diratime",
                                             "nodiratime",
                                             "lazytime",
                                             "nolazytime",
                                             "nomand",
                                             "silent",
                                             "loud",
                                             "user_id",
                                             "group_id",
                                             "rootmode",
                                             "max_read",
                                             "blksize",
                                             "helper",
                                             "uhelper"};
  return ignored.contains(name) || name.starts_with("x-") || name.starts_with("X-") ||
         name.starts_with("comment");
}

bool IsForTheKernel(std::string const& name) {
  static std::set<std::string> const known{"suid",   "nosuid", "dev",     "nodev", "exec",
                                           "noexec", "atime",  "noatime", "sync",  "dirsync"};
  return known.contains(name);
}

Result<void> ApplyMountOption(Options& options, std::string const& item, Invocation& invocation) {
  auto const equals = item.find('=');
  auto const name = item.substr(0, equals);
  if (name == "ro") {
    return Fail(EINVAL,
                "a tusfs cannot be mounted read-only (-o ro): it is there to take files in; leave "
                "'ro' out");
  }
  if (name == "remount") {
    invocation.remount = true;
    return {};
  }
  if (IsForMountPrograms(name)) return {};
  if (IsForTheKernel(name)) {
    options.kernel.push_back(name);
    return {};
  }
  auto const* const setting = FindSetting(name);
  if (setting == nullptr) {
    return Fail(EINVAL, "unknown mount option '" + name + "' (-o " + item +
                            "): 'tusfs --help' lists those that there are");
  }
  if (equals == std::string::npos && setting->kind != Setting::Kind::kFlag) {
    return Fail(EINVAL, "the mount option '" + name + "' needs a value: -o " + name + "=" +
                            setting->metavar);
  }
  invocation.given_after_o.push_back(name);
  return setting->set(options, equals == std::string::npos ? "true" : item.substr(equals + 1));
}

Result<void> ApplyMountOptions(Options& options, std::vector<std::string> const& lists,
                               Invocation& invocation) {
  for (auto const& list : lists) {
    std::istringstream items(list);
    for (std::string item; std::getline(items, item, ',');) {
      if (item.empty()) continue;
      if (auto applied = ApplyMountOption(options, item, invocation); !applied) return applied;
    }
  }
  return {};
}

// ---- the file

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

Result<void> ApplySettingOfFile(Options& options, std::string const& name, toml::node const& node) {
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

Result<void> ApplyFile(Options& options, std::string const& path) {
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
    } else if (auto applied = ApplySettingOfFile(options, name, node); !applied) {
      return Fail(EINVAL, path + ": " + applied.error().context);
    }
  }
  return {};
}

Invocation Rejected(std::string const& sentence) {
  Invocation invocation;
  invocation.output = "tusfs: " + sentence + "\n";
  invocation.status = kUsageError;
  return invocation;
}

// The parser repeats words that it has no place for.
std::string WithoutSecrets(std::string const& sentence) {
  std::istringstream words(sentence);
  std::string shown;
  for (std::string word; std::getline(words, word, ' ');) {
    bool const is_url = word.find("://") != std::string::npos;
    shown += (shown.empty() ? "" : " ") + (is_url ? tus::RedactUrl(word) : word);
  }
  return shown;
}

}  // namespace

Result<std::uint64_t> ParseSize(std::string const& text) {
  static std::map<std::string, int> const shifts{{"", 0},     {"B", 0},    {"KiB", 10},
                                                 {"MiB", 20}, {"GiB", 30}, {"TiB", 40}};
  std::uint64_t number = 0;
  auto const* const end = text.data() + text.size();
  auto const parsed = std::from_chars(text.data(), end, number);
  auto const shift = shifts.find(std::string(parsed.ptr, end));
  if (parsed.ec != std::errc() || shift == shifts.end() ||
      number > (std::uint64_t{1} << (62 - shift->second))) {
    return Fail(EINVAL, "'" + text + "' is not a size: write bytes, or a number and KiB, MiB, GiB");
  }
  return number << shift->second;
}

std::vector<std::string> CommandLineOf(Options const& options) {
  std::vector<std::string> arguments;
  for (auto const& setting : Settings()) {
    for (auto const& value : setting.get(options)) {
      auto const name = std::string("--") + setting.name;
      arguments.push_back(setting.kind == Setting::Kind::kFlag ? name : name + "=" + value);
    }
  }
  for (auto const& option : options.kernel) arguments.insert(arguments.end(), {"-o", option});
  arguments.insert(arguments.end(), {"--", options.url, options.mountpoint});
  return arguments;
}

Invocation ParseCommandLine(int argc, char const* const* argv) {
  CLI::App app{
      "Mounts a tus server: what is written into MOUNTPOINT is uploaded to URL while it is being "
      "written, and interrupted uploads go on after a crash.",
      "tusfs"};
  app.set_version_flag("--version,-V", std::string("tusfs ") + kVersion);
  Options options;
  Invocation invocation;
  std::string config;
  std::vector<std::string> mount_options;
  std::string url;
  std::string mountpoint;
  app.add_option("URL", url, "http or https URL of the tus endpoint")->option_text(" ");
  app.add_option("MOUNTPOINT", mountpoint, "the directory to mount at")->option_text(" ");
  app.add_option("--config", config, "take the settings from a TOML file")->option_text("FILE");
  app.add_option("-o", mount_options, "options in the style of mount(8): a,b=c")
      ->option_text("OPTIONS")
      ->allow_extra_args(false);
  std::map<std::string, std::vector<std::string>> values;
  std::map<std::string, bool> flags;
  for (auto const& setting : Settings()) {
    auto const name = std::string("--") + setting.name;
    if (setting.kind == Setting::Kind::kFlag) {
      app.add_flag(name + (name == "--foreground" ? ",-f" : ""), flags[setting.name], setting.help);
    } else {
      app.add_option(name, values[setting.name], setting.help)
          ->option_text(setting.metavar)
          ->allow_extra_args(false)
          ->expected(1)
          ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    }
  }
  try {
    app.parse(argc, argv);
  } catch (CLI::ParseError const& stop) {
    std::ostringstream out;
    std::ostringstream err;
    int const status = app.exit(stop, out, err);
    if (status == 0) {
      invocation.output = out.str();
      return invocation;
    }
    return Rejected(WithoutSecrets(stop.what()) + " ('tusfs --help' shows the usage)");
  }
  if (!config.empty()) {
    if (auto applied = ApplyFile(options, config); !applied)
      return Rejected(applied.error().context);
  }
  if (auto applied = ApplyMountOptions(options, mount_options, invocation); !applied) {
    return Rejected(applied.error().context);
  }
  for (auto const& setting : Settings()) {
    if (app.count(std::string("--") + setting.name) == 0) continue;
    auto const given = setting.kind == Setting::Kind::kFlag
                           ? std::vector<std::string>{flags[setting.name] ? "true" : "false"}
                           : values[setting.name];
    for (auto const& value : given) {
      if (auto applied = setting.set(options, value); !applied) {
        return Rejected(applied.error().context);
      }
    }
  }
  if (auto checked = CheckTogether(options); !checked) return Rejected(checked.error().context);
  if (auto placed = SetPlaces(options, url, mountpoint); !placed) {
    return Rejected(placed.error().context);
  }
  invocation.options = std::move(options);
  return invocation;
}

}  // namespace tusfs
