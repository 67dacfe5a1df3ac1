#include "program/mount_units.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <fstream>
#include <system_error>

#include "base/file.h"
#include "base/mount_table.h"
#include "control/registry.h"
#include "options/config_file.h"

namespace tusfs {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

constexpr char const* kType = "fuse.tusfs";
// Not Requires=: that a service which is started again takes with it, and would end its mount.
constexpr char const* kUnit = R"([Unit]
Description={1} of tusfs@{0}.service
Documentation=man:tusfs(1)
DefaultDependencies=no
Conflicts=umount.target
Before=umount.target
Wants=tusfs@{0}.service
After=tusfs@{0}.service

[Mount]
What=tusfs@{0}.service
Where={1}
Type=tusfs
)";

// What the name of an instance of a unit may have, and a line of a unit.
bool IsInstance(std::string const& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           std::string_view(":-_.\\").find(static_cast<char>(c)) != std::string_view::npos;
  });
}
bool FitsIntoALine(std::string const& path) {
  return path.back() != '\\' && std::none_of(path.begin(), path.end(),
                                             [](unsigned char c) { return std::iscntrl(c) != 0; });
}

// A percent sign begins a specifier there.
std::string Doubled(std::string const& text) {
  std::string doubled;
  for (char const c : text) doubled += c == '%' ? std::string("%%") : std::string(1, c);
  return doubled;
}

std::string Plain(std::string const& mountpoint) {
  auto path = fs::path(mountpoint).lexically_normal().string();
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

Result<void> WriteMountUnit(fs::path const& file, fs::path const& units) {
  auto const mountpoint = MountpointIn(file);
  if (!mountpoint) return Failure(mountpoint.error());
  auto const unit = MountUnitFor(file.stem(), *mountpoint);
  if (!unit) return Failure(unit.error());
  std::ofstream stream(units / unit->file_name);  // for everybody to read, as units are
  stream << unit->text << std::flush;
  return stream ? Result<void>() : Fail(EIO, "'" + unit->file_name + "' cannot be written");
}

bool IsMountedAt(std::string const& path) {
  auto const mounts = ReadMountTable();
  auto const topmost = std::find_if(mounts.rbegin(), mounts.rend(), [&](MountLine const& mount) {
    return mount.mountpoint == path;
  });
  return topmost != mounts.rend() && topmost->type == kType;
}

}  // namespace

bool IsUnitGenerator(std::string const& program) {
  return fs::path(program).filename() == "tusfs-generator";
}

Result<MountUnit> MountUnitFor(std::string const& name, std::string const& mountpoint) {
  if (!IsInstance(name)) return Fail(EINVAL, "'" + name + "' cannot be the name of a service");
  auto const path = Plain(mountpoint);
  if (!path.starts_with('/') || path == "/" || !FitsIntoALine(path)) {
    return Fail(EINVAL, "the mount point '" + mountpoint + "' cannot be that of a mount unit");
  }
  return MountUnit{EscapePath(path) + ".mount", fmt::format(kUnit, Doubled(name), Doubled(path))};
}

std::vector<std::string> WriteMountUnits(fs::path const& configuration, fs::path const& units) {
  std::vector<std::string> wrong;
  std::error_code failed;
  for (fs::directory_iterator at(configuration, failed), end; !failed && at != end;
       at.increment(failed)) {
    if (at->path().extension() != ".toml") continue;
    auto const written = WriteMountUnit(at->path(), units);
    if (!written) wrong.push_back(at->path().string() + ": " + Describe(written.error()));
  }
  return wrong;
}

Result<void> AwaitServiceMount(std::string const& service, std::string const& mountpoint,
                               std::chrono::milliseconds limit) {
  std::error_code unknown;
  auto const path = fs::weakly_canonical(mountpoint, unknown).string();
  // It tells of each change by POLLPRI.
  UniqueFd const table(::open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC));
  if (!table) return FailErrno("/proc/self/mountinfo");
  auto const give_up = steady_clock::now() + limit;
  while (!IsMountedAt(path)) {
    auto const left = std::chrono::ceil<std::chrono::milliseconds>(give_up - steady_clock::now());
    if (left.count() <= 0) {
      return Fail(ETIMEDOUT, service + " has not mounted '" + mountpoint +
                                 "': see 'systemctl status " + service + "'");
    }
    pollfd change{table.get(), POLLPRI, 0};
    ::poll(&change, 1, static_cast<int>(left.count()));
  }
  return {};
}

}  // namespace tusfs
