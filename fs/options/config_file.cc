#include "options/config_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <sstream>
#include <string_view>
#include <vector>

#include "base/file.h"

namespace tusfs {
namespace {

constexpr std::chrono::seconds kPipePatience{5};
constexpr std::size_t kLargestFile = std::size_t{1} << 20;

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

Failure CannotRead(std::string const& path, int code) {
  return Fail(code, "the configuration file '" + path + "' cannot be read: " + std::strerror(code));
}

/// Whether a pipe has something, or its end, before `deadline`; of one that nobody writes to there
/// is neither.
bool AwaitPipe(int fd, std::chrono::steady_clock::time_point deadline) {
  auto const left =
      std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  pollfd pipe{fd, POLLIN, 0};
  return left.count() > 0 && ::poll(&pipe, 1, static_cast<int>(left.count())) > 0;
}

Result<std::string> ReadConfigFile(std::string const& path) {
  UniqueFd const fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) return CannotRead(path, errno);
  if (S_ISDIR(status.st_mode)) {
    return Fail(EISDIR, "the configuration file '" + path + "' is a directory");
  }
  auto const deadline = std::chrono::steady_clock::now() + kPipePatience;
  std::string text;
  for (std::array<char, 4096> piece{};;) {
    if (S_ISFIFO(status.st_mode) && !AwaitPipe(fd.get(), deadline)) {
      return Fail(ETIMEDOUT, "the configuration file '" + path +
                                 "' is a pipe that nobody writes to and closes: name a file");
    }
    auto const size = ::read(fd.get(), piece.data(), piece.size());
    if (size < 0) return CannotRead(path, errno);
    if (size == 0) return text;
    text.append(piece.data(), static_cast<std::size_t>(size));
    if (text.size() > kLargestFile) {
      return Fail(EFBIG, "the configuration file '" + path + "' is longer than 1 MiB");
    }
  }
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
  // Dashes and underscores are alike.
  std::map<std::string, FileKey const*> seen;
  for (auto const& key : keys) {
    auto name = key.name;
    std::replace(name.begin(), name.end(), '_', '-');
    auto const [at, is_new] = seen.emplace(name, &key);
    if (is_new) {
      Apply(options, key, given);
    } else {
      given.AddMistake(key.spelt() + " is given twice, in line " +
                       std::to_string(at->second->line()) + " as " + at->second->name +
                       ": leave one of them out");
    }
  }
  return true;
}

}  // namespace tusfs
