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
#include <vector>

#include "base/file.h"
#include "options/config_rules.h"
#include "options/toml_values.h"

namespace tusfs {
namespace {

constexpr std::chrono::seconds kPipePatience{5};
constexpr std::size_t kLargestFile = std::size_t{1} << 20;

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
  auto const values = ValuesIn(*key.node, {setting->kind, setting->metavar});
  if (!values) {
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

}  // namespace

std::string TypeInFile(Setting const& setting) { return TypeOf({setting.kind, setting.metavar}); }

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
    given.AddMistake(PlaceIn(path, error.source()) + ": " + std::string(error.description()));
    return false;
  }
  std::vector<FileKey> keys;
  for (auto const& [name, node] : table) {
    keys.push_back({std::string(name.str()), &node, PlaceIn(path, node.source())});
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
    if (is_new && name == "rule") {
      ApplyRules(options, *key.node, path, given);
    } else if (is_new) {
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
