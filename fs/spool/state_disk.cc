#include "spool/state_disk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <span>
#include <string_view>
#include <system_error>

#include "base/file.h"
#include "base/mount_table.h"
#include "spool/disk.h"

namespace tusfs {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kText =
    "tusfs keeps its state on the filesystem that belongs here, and does not start without it.\n"
    "Mount it. Where it is gone for good, remove this file: tusfs begins anew then.\n";

bool IsInMemory(std::string const& type) { return type == "tmpfs" || type == "ramfs"; }

// The mount point that `directory` is beneath.
fs::path MountPointOf(fs::path const& directory) {
  fs::path longest = "/";
  for (auto const& mount : ReadMountTable()) {
    fs::path const place(mount.mountpoint);
    auto const relative = directory.lexically_relative(place);
    bool const is_above = !relative.empty() && *relative.begin() != "..";
    if (is_above && place.native().size() > longest.native().size()) longest = place;
  }
  return longest;
}

// As it was before something was mounted there: a copy of the mount above has none of those in it.
Result<UniqueFd> OpenBeneath(fs::path const& mountpoint) {
  constexpr unsigned kFlags = 1 | O_CLOEXEC;  // OPEN_TREE_CLONE
  UniqueFd const above(static_cast<int>(
      ::syscall(SYS_open_tree, AT_FDCWD, mountpoint.parent_path().c_str(), kFlags)));
  if (!above) return FailErrno("the directory beneath '" + mountpoint.string() + "'");
  UniqueFd beneath(::openat(above.get(), mountpoint.filename().c_str(),
                            O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!beneath) return FailErrno("the directory beneath '" + mountpoint.string() + "'");
  return beneath;
}

bool IsOneDirectory(fs::path const& path, int fd) {
  struct stat one {};
  struct stat other {};
  return ::stat(path.c_str(), &one) == 0 && ::fstat(fd, &other) == 0 &&
         one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

}  // namespace

Result<void> CheckLasting(fs::path const& directory, bool volatile_is_allowed) {
  auto const type = FilesystemTypeOf(directory);
  if (volatile_is_allowed || !IsInMemory(type)) return {};
  return Fail(EOPNOTSUPP, "the state directory '" + directory.string() + "' is in memory (" + type +
                              "), and what is not uploaded is gone with the machine's next start: "
                              "name one on a disk with --state-dir, or allow it with --volatile");
}

Result<void> CheckDiskIsMounted(fs::path const& directory) {
  for (auto above = directory; !above.empty(); above = above.parent_path()) {
    struct stat status {};
    if (::lstat((above / kNotMounted).c_str(), &status) == 0) {
      return Fail(ENODEV, "the disk of the state directory '" + directory.string() +
                              "' is not mounted at '" + above.string() +
                              "': mount it; where it is gone for good, remove '" +
                              (above / kNotMounted).string() + "'");
    }
    if (above == above.parent_path()) break;
  }
  return {};
}

Result<std::optional<fs::path>> MarkBeneathDisk(fs::path const& directory) {
  auto const mountpoint = MountPointOf(directory);
  if (mountpoint == "/" || IsInMemory(FilesystemTypeOf(directory))) return std::nullopt;
  auto const beneath = OpenBeneath(mountpoint);
  if (!beneath) return Failure(beneath.error());
  // Of a bind mount of a directory to itself, what is beneath is what is there.
  if (IsOneDirectory(mountpoint, beneath->get())) return std::nullopt;
  auto const shown = mountpoint / kNotMounted;
  constexpr mode_t kForEverybody = 0644;
  UniqueFd const marker(::openat(beneath->get(), kNotMounted,
                                 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                                 kForEverybody));
  if (!marker && errno == EEXIST) return shown;
  if (!marker) return FailErrno("'" + shown.string() + "', beneath the mount");
  auto const text = std::as_bytes(std::span(kText));
  if (auto written = WriteFully(marker.get(), text, 0); !written) return Failure(written.error());
  if (::fsync(marker.get()) != 0 || ::fsync(beneath->get()) != 0) {
    return FailErrno("'" + shown.string() + "', beneath the mount");
  }
  return shown;
}

}  // namespace tusfs
