#include "spool/disk.h"

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <string_view>

namespace tusfs {
namespace {

constexpr std::array<std::string_view, 18> kNetwork{
    "9p",        "afs",        "beegfs",      "ceph",           "cifs",
    "coda",      "davfs",      "fuse.davfs2", "fuse.glusterfs", "fuse.rclone",
    "fuse.s3fs", "fuse.sshfs", "fuse.tusfs",  "lustre",         "nfs",
    "nfs4",      "smb3",       "smbfs"};

}  // namespace

// A line: ID PARENT MAJOR:MINOR ROOT MOUNTPOINT OPTIONS [FIELDS…] - TYPE SOURCE OPTIONS
std::string FilesystemTypeOf(std::filesystem::path const& directory) {
  struct stat status {};
  if (::stat(directory.c_str(), &status) != 0) return {};
  auto const device =
      std::to_string(major(status.st_dev)) + ":" + std::to_string(minor(status.st_dev));
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream words(line);
    std::string id;
    std::string parent;
    std::string of_device;
    words >> id >> parent >> of_device;
    if (of_device != device) continue;
    for (std::string word; words >> word;) {
      if (word == "-") break;
    }
    std::string type;
    words >> type;
    return type;
  }
  return {};
}

Result<void> CheckLocalDisk(std::filesystem::path const& directory) {
  auto const type = FilesystemTypeOf(directory);
  if (std::find(kNetwork.begin(), kNetwork.end(), type) == kNetwork.end()) return {};
  return Fail(EOPNOTSUPP, "the state directory '" + directory.string() +
                              "' is on a network filesystem (" + type +
                              "), which cannot promise that bytes are safe: name one on a local "
                              "disk with --state-dir");
}

Result<std::uint64_t> DiskSize(std::filesystem::path const& directory) {
  struct statvfs status {};
  if (::statvfs(directory.c_str(), &status) != 0) return FailErrno(directory.string());
  return status.f_blocks * status.f_frsize;
}

}  // namespace tusfs
