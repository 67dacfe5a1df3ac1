#include "options.h"

#include <toml++/toml.h>

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

#include "version.h"

namespace tusfs {
namespace {

constexpr std::uint64_t kChunkMultiple = 256 * 1024;
constexpr int kUsageError = 2;

Failure Invalid(std::string const& name, std::string const& value, std::string const& wanted) {
  return Fail(EINVAL, "--" + name + " is '" + value + "': " + wanted);
}

// ---- one table for the command line, -o and the file

struct Setting {
  char const* name;
  char const* metavar;  ///< empty: a flag
  char const* help;
  std::function<Result<void>(Options&, std::string const&)> set;
  std::function<std::string(Options const&)> get;
};

Result<void> SetSettle(Options& options, std::string const& value) {
  double seconds = 0;
  auto const* const end = value.data() + value.size();
  auto const parsed = std::from_chars(value.data(), end, seconds);
  if (parsed.ec != std::errc() || parsed.ptr != end || !(seconds >= 0 && seconds <= 86'400)) {
    return Invalid("settle", value, "it takes seconds from 0 to 86400");
  }
  options.settle = std::chrono::milliseconds(std::llround(seconds * 1000));
  return {};
}

Result<void> SetChunkSize(Options& options, std::string const& value) {
  auto const size = ParseSize(value);
  if (!size || *size == 0 || *size % kChunkMultiple != 0) {
    return Invalid("chunk-size", value, "it takes a multiple of 256KiB, such as 8MiB");
  }
  options.chunk_size = *size;
  return {};
}

Result<void> SetTransfers(Options& options, std::string const& value) {
  int count = 0;
  auto const* const end = value.data() + value.size();
  auto const parsed = std::from_chars(value.data(), end, count);
  if (parsed.ec != std::errc() || parsed.ptr != end || count < 1 || count > 64) {
    return Invalid("transfers", value, "it takes a number from 1 to 64");
  }
  options.transfers = count;
  return {};
}

Result<void> SetLogLevel(Options& options, std::string const& value) {
  static std::set<std::string> const levels{"debug", "info", "warn", "error"};
  if (!levels.contains(value)) {
    return Invalid("log-level", value, "it takes debug, info, warn or error");
  }
  options.log_level = value;
  return {};
}

Result<void> SetStateDir(Options& options, std::string const& value) {
  if (value.empty()) return Invalid("state-dir", value, "it takes a directory");
  options.state_dir = value;
  return {};
}

template <bool Options::*kFlag>
Result<void> SetFlag(Options& options, std::string const& value) {
  if (value != "true" && value != "false")
    return Fail(EINVAL, "'" + value + "' is not true or false");
  options.*kFlag = value == "true";
  return {};
}

template <bool Options::*kFlag>
std::string GetFlag(Options const& options) {
  return options.*kFlag ? "true" : "false";
}

std::string GetSettle(Options const& options) {
  auto const milliseconds = options.settle.count();
  char text[32];
  std::snprintf(text, sizeof text, "%lld.%03lld", static_cast<long long>(milliseconds / 1000),
                static_cast<long long>(milliseconds % 1000));
  return text;
}

std::vector<Setting> const& Settings() {
  static std::vector<Setting> const settings{
      {"state-dir", "DIR", "where names, upload records and unsent bytes are kept", SetStateDir,
       [](Options const& options) { return options.state_dir; }},
      {"settle", "SECONDS", "quiet time between the last close and 'finished' (default 2)",
       SetSettle, GetSettle},
      {"chunk-size", "SIZE", "largest PATCH body, a multiple of 256KiB (default 32MiB)",
       SetChunkSize, [](Options const& options) { return std::to_string(options.chunk_size); }},
      {"transfers", "N", "files that are sent at the same time (default 4)", SetTransfers,
       [](Options const& options) { return std::to_string(options.transfers); }},
      {"log-level", "LEVEL", "debug, info, warn or error (default info)", SetLogLevel,
       [](Options const& options) { return options.log_level; }},
      {"foreground", "", "stay in the foreground and log to stderr", SetFlag<&Options::foreground>,
       GetFlag<&Options::foreground>},
      {"nonempty", "", "mount over a directory that is not empty", SetFlag<&Options::nonempty>,
       GetFlag<&Options::nonempty>},
      {"allow-other", "", "let other users in (needs user_allow_other unless root)",
       SetFlag<&Options::allow_other>, GetFlag<&Options::allow_other>},
  };
  return settings;
}

// An option is spelt with dashes or underscores, as the place is used to.
Setting const* FindSetting(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  auto const found = std::find_if(Settings().begin(), Settings().end(),
                                  [&](Setting const& setting) { return name == setting.name; });
  return found == Settings().end() ? nullptr : &*found;
}

// ---- -o

bool IsForMountPrograms(std::string const& name) {
  static std::set<std::string> const ignored{
      "rw",    "defaults", "auto",       "noauto",      "user",     "nouser",
      "users", "owner",    "group",      "_netdev",     "nofail",   "default_permissions",
      "async", "relatime", "norelatime", "strictatime", "diratime", "nodiratime"};
  return ignored.contains(name) || name.starts_with("x-") || name.starts_with("X-") ||
         name.starts_with("comment");
}

bool IsForTheKernel(std::string const& name) {
  static std::set<std::string> const known{"suid",   "nosuid", "dev",     "nodev", "exec",
                                           "noexec", "atime",  "noatime", "sync",  "dirsync"};
  return known.contains(name);
}

Result<void> ApplyMountOption(Options& options, std::string const& item) {
  auto const equals = item.find('=');
  auto const name = item.substr(0, equals);
  if (name == "ro") {
    return Fail(EINVAL,
                "a tusfs cannot be mounted read-only (-o ro): it is there to take files in; leave "
                "'ro' out");
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
  bool const is_flag = setting->metavar[0] == '\0';
  if (equals == std::string::npos && !is_flag) {
    return Fail(EINVAL, "the mount option '" + name + "' needs a value: -o " + name + "=" +
                            setting->metavar);
  }
  return setting->set(options, equals == std::string::npos ? "true" : item.substr(equals + 1));
}

Result<void> ApplyMountOptions(Options& options, std::vector<std::string> const& lists) {
  for (auto const& list : lists) {
    std::istringstream items(list);
    for (std::string item; std::getline(items, item, ',');) {
      if (item.empty()) continue;
      if (auto applied = ApplyMountOption(options, item); !applied) return applied;
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
    auto const value = TextOf(node);
    auto const* const setting = FindSetting(name);
    if (!value || (setting == nullptr && name != "url" && name != "mountpoint")) {
      return Fail(EINVAL, path + ": unknown setting '" + name +
                              "': see tusfs(1) for those that "
                              "there are");
    }
    if (name == "url") {
      options.url = *value;
    } else if (name == "mountpoint") {
      options.mountpoint = *value;
    } else if (auto applied = setting->set(options, *value); !applied) {
      return Fail(EINVAL, path + ": " + applied.error().context);
    }
  }
  return {};
}

Invocation Rejected(std::string const& sentence) {
  return {.options = std::nullopt, .output = "tusfs: " + sentence + "\n", .status = kUsageError};
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
    auto const value = setting.get(options);
    auto const name = std::string("--") + setting.name;
    if (setting.metavar[0] == '\0') {
      if (value == "true") arguments.push_back(name);
    } else if (!value.empty()) {
      arguments.push_back(name + "=" + value);
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
  std::map<std::string, std::string> values;
  std::map<std::string, bool> flags;
  for (auto const& setting : Settings()) {
    auto const name = std::string("--") + setting.name;
    if (setting.metavar[0] == '\0') {
      app.add_flag(name + (name == "--foreground" ? ",-f" : ""), flags[setting.name], setting.help);
    } else {
      app.add_option(name, values[setting.name], setting.help)->option_text(setting.metavar);
    }
  }
  try {
    app.parse(argc, argv);
  } catch (CLI::ParseError const& stop) {
    std::ostringstream out;
    std::ostringstream err;
    int const status = app.exit(stop, out, err);
    if (status == 0) return {.options = std::nullopt, .output = out.str(), .status = 0};
    return Rejected(std::string(stop.what()) + " ('tusfs --help' shows the usage)");
  }
  if (!config.empty()) {
    if (auto applied = ApplyFile(options, config); !applied)
      return Rejected(applied.error().context);
  }
  if (auto applied = ApplyMountOptions(options, mount_options); !applied) {
    return Rejected(applied.error().context);
  }
  for (auto const& setting : Settings()) {
    auto const given = app.count(std::string("--") + setting.name) > 0;
    if (!given) continue;
    auto const is_flag = setting.metavar[0] == '\0';
    auto applied = setting.set(options, !is_flag              ? values[setting.name]
                                        : flags[setting.name] ? "true"
                                                              : "false");
    if (!applied) return Rejected(applied.error().context);
  }
  if (!url.empty()) options.url = url;
  if (!mountpoint.empty()) options.mountpoint = mountpoint;
  if (options.url.empty()) return Rejected("no URL given: tusfs URL MOUNTPOINT");
  if (options.mountpoint.empty()) {
    return Rejected("no mount point given: tusfs " + options.url + " MOUNTPOINT");
  }
  return {.options = std::move(options), .output = {}, .status = 0};
}

}  // namespace tusfs
