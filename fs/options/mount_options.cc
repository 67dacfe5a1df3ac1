#include "options/mount_options.h"

#include <set>
#include <sstream>
#include <string_view>

#include "options/settings.h"

namespace tusfs {
namespace {

// What mount(8) and fstab(5) have for themselves, and what a mount of FUSE shows in mountinfo,
// which mount(8) repeats when it remounts.
bool IsForMountPrograms(std::string const& name) {
  static std::set<std::string_view> const ignored{"rw",
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
  static std::set<std::string_view> const known{"suid",   "nosuid", "dev",     "nodev", "exec",
                                                "noexec", "atime",  "noatime", "sync",  "dirsync"};
  return known.contains(name);
}

void ApplyMountOption(Options& options, std::string const& item, MountWords& words, Given& given) {
  auto const equals = item.find('=');
  auto const name = item.substr(0, equals);
  if (name == "ro") {
    return given.AddMistake(
        "a tusfs cannot be mounted read-only (-o ro): it is there to take files in; leave 'ro' "
        "out");
  }
  if (name == "remount") {
    words.remount = true;
    return;
  }
  if (IsForMountPrograms(name)) return;
  if (IsForTheKernel(name)) return options.kernel.push_back(name);
  auto const* const setting = FindSetting(name);
  if (setting == nullptr) {
    return given.AddMistake("unknown mount option '" + name + "' (-o " + item +
                            "): 'tusfs --help' lists those that there are");
  }
  if (equals == std::string::npos && setting->kind != Setting::Kind::kFlag) {
    return given.AddMistake("the mount option '" + name + "' needs a value: -o " + name + "=" +
                            setting->metavar);
  }
  words.settings.push_back(name);
  auto const value = equals == std::string::npos ? "true" : item.substr(equals + 1);
  given.Set(options, *setting, value, kDashO, "-o " + name);
}

}  // namespace

MountWords ApplyMountOptions(Options& options, std::vector<std::string> const& lists,
                             Given& given) {
  MountWords words;
  for (auto const& list : lists) {
    std::istringstream items(list);
    for (std::string item; std::getline(items, item, ',');) {
      if (!item.empty()) ApplyMountOption(options, item, words, given);
    }
  }
  return words;
}

}  // namespace tusfs
