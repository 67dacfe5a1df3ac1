#include "control/group_access.h"

#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <vector>

#include "base/private_directory.h"

namespace tusfs {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kForEverybody = 0755;

fs::path DirectoryOf(uid_t owner) {
  if (owner == 0) return "/run/tusfs-groups";
  return "/tmp/tusfs-groups-" + std::to_string(owner);
}

// Below /tmp anybody could have been there first.
bool IsOwnersAlone(fs::path const& directory, uid_t owner) {
  struct stat status {};
  return ::lstat(directory.c_str(), &status) == 0 && S_ISDIR(status.st_mode) &&
         status.st_uid == owner && (status.st_mode & 022) == 0;
}

bool IsIn(std::string const& path, std::string const& mount) {
  return path == mount || path.starts_with(mount + "/");
}

}  // namespace

Result<gid_t> FindGroup(std::string const& name) {
  gid_t number = 0;
  auto const* const end = name.data() + name.size();
  auto const read = std::from_chars(name.data(), end, number);
  if (read.ec == std::errc() && read.ptr == end) return number;
  std::vector<char> buffer(std::size_t{64} << 10);
  group found{};
  group* result = nullptr;
  ::getgrnam_r(name.c_str(), &found, buffer.data(), buffer.size(), &result);
  if (result == nullptr) return Fail(ENOENT, "there is no group '" + name + "' here");
  return result->gr_gid;
}

bool IsOfGroup(int connection, gid_t group) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  if (peer.gid == group) return true;
  std::vector<gid_t> groups(65536);  // as many as a process may have
  size = static_cast<socklen_t>(groups.size() * sizeof(gid_t));
  if (::getsockopt(connection, SOL_SOCKET, SO_PEERGROUPS, groups.data(), &size) != 0) return false;
  groups.resize(size / sizeof(gid_t));
  return std::ranges::find(groups, group) != groups.end();
}

fs::path GroupSocketPath(uid_t owner, std::string const& mount) {
  return SocketPath(DirectoryOf(owner), mount);
}

Result<void> MakeGroupDirectory() {
  auto const directory = DirectoryOf(::geteuid());
  if (auto opened = PrivateDirectory::Open(directory); !opened) {
    return Fail(opened.error().code,
                "the directory for --control-group cannot be used: " + opened.error().context);
  }
  if (::chmod(directory.c_str(), kForEverybody) != 0) return FailErrno(directory.string());
  return {};
}

std::optional<MountEntry> MountForGroup(std::string const& path) {
  std::optional<MountEntry> closest;
  for (auto const& line : ReadMountTable()) {
    auto const owner = OwnerOfTusfs(line);
    if (!owner || *owner == ::geteuid() || !IsIn(path, line.mountpoint)) continue;
    if (closest && closest->mount.size() > line.mountpoint.size()) continue;
    auto const socket = GroupSocketPath(*owner, line.mountpoint);
    struct stat status {};
    bool const is_there = IsOwnersAlone(socket.parent_path(), *owner) &&
                          ::lstat(socket.c_str(), &status) == 0 && S_ISSOCK(status.st_mode);
    if (!is_there) continue;
    closest.emplace();
    closest->mount = line.mountpoint;
    closest->url = line.source;
    closest->socket = socket.string();
    closest->is_others = true;
  }
  return closest;
}

}  // namespace tusfs
