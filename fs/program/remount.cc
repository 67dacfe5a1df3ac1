#include "program/remount.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <sstream>
#include <string_view>

#include "base/file.h"
#include "base/mount_table.h"
#include "control/registry.h"
#include "options/command_line.h"
#include "options/settings.h"

namespace tusfs {
namespace {

namespace fs = std::filesystem;

bool Has(std::string const& list, std::string_view word) {
  return ("," + list + ",").find("," + std::string(word) + ",") != std::string::npos;
}

std::optional<MountLine> MountAt(std::string const& mountpoint) {
  auto const table = ReadMountTable();
  auto const found = std::find_if(table.rbegin(), table.rend(), [&](MountLine const& line) {
    return line.mountpoint == mountpoint;
  });
  if (found == table.rend() || found->type != "fuse.tusfs") return std::nullopt;
  return *found;
}

/// What the daemon was started with: that is all that it goes by (CommandLineOf).
Result<Options> RunningOptions(std::string const& mountpoint) {
  for (auto const& mount : ListMounts()) {
    if (mount.mount != mountpoint || mount.daemon_pid == 0) continue;
    auto const text = ReadSmallFile("/proc/" + std::to_string(mount.daemon_pid) + "/cmdline");
    if (!text) return Failure(text.error());
    std::istringstream words(*text);
    std::vector<std::string> arguments;
    for (std::string word; std::getline(words, word, '\0');) arguments.push_back(word);
    std::vector<char const*> argv;
    argv.reserve(arguments.size());
    for (auto const& argument : arguments) argv.push_back(argument.c_str());
    auto invocation = ParseCommandLine(static_cast<int>(argv.size()), argv.data());
    if (invocation.options) return *std::move(invocation.options);
    break;
  }
  return Fail(ENOENT, "the daemon of '" + mountpoint + "' is not this user's, or does not run now");
}

bool IsAsItIs(Setting const& setting, Options const& asked, Options const& running) {
  if (std::string_view(setting.name) == "state-dir") {
    return fs::weakly_canonical(fs::absolute(asked.state_dir)) == running.state_dir;
  }
  auto const wanted = setting.get(asked);
  auto const there = setting.get(running);
  bool const is_list =
      setting.kind == Setting::Kind::kList || setting.kind == Setting::Kind::kTable;
  if (!is_list) return wanted == there;
  return std::all_of(wanted.begin(), wanted.end(), [&](std::string const& value) {
    return std::find(there.begin(), there.end(), value) != there.end();
  });
}

bool IsAsItIs(std::string const& word, MountLine const& mount) {
  auto const is_on = [&](std::string_view name) {
    return Has(mount.options, name) || Has(mount.filesystem_options, name);
  };
  bool const off = word == "suid" || word == "dev" || word == "exec" || word == "atime";
  return off ? !is_on("no" + word) : is_on(word);
}

Failure CannotChange(std::string const& name, std::string const& mountpoint) {
  return Fail(EINVAL, "'" + name + "' cannot be changed while '" + mountpoint +
                          "' is mounted: unmount it, which loses nothing, and mount it again");
}

}  // namespace

Result<void> Remount(Options const& asked, std::vector<std::string> const& given) {
  std::error_code failed;
  // By its text first: asking for what is beneath a mount that hangs would hang, too.
  auto mountpoint = fs::absolute(asked.mountpoint).lexically_normal().string();
  while (mountpoint.size() > 1 && mountpoint.back() == '/') mountpoint.pop_back();
  auto mount = MountAt(mountpoint);
  if (!mount) {
    mountpoint = fs::weakly_canonical(mountpoint, failed).string();
    mount = MountAt(mountpoint);
  }
  if (!mount) {
    return Fail(ENOENT,
                "no tusfs is mounted at '" + asked.mountpoint + "': mount it without 'remount'");
  }
  for (auto const& word : asked.kernel) {
    if (!IsAsItIs(word, *mount)) return CannotChange(word, mountpoint);
  }
  std::optional<Options> running;
  for (auto const& name : given) {
    auto const* const setting = FindSetting(name);
    if (setting->starts_only) continue;
    if (!running) {
      auto options = RunningOptions(mountpoint);
      if (!options) return Failure(options.error());
      running = *std::move(options);
    }
    if (!IsAsItIs(*setting, asked, *running)) return CannotChange(setting->name, mountpoint);
  }
  return {};
}

}  // namespace tusfs
