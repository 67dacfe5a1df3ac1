#include "storm/loop_disk.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "testing/files.h"
#include "testing/process.h"
#include "testing/wait_for.h"

namespace tusfs_testing {

namespace fs = std::filesystem;

namespace {

std::vector<std::string> MountsOfTusfs() {
  std::vector<std::string> mountpoints;
  std::ifstream table("/proc/self/mounts");
  for (std::string line; std::getline(table, line);) {
    std::istringstream fields(line);
    std::string source, mountpoint, type;
    if (fields >> source >> mountpoint >> type && type == "fuse.tusfs") {
      mountpoints.push_back(mountpoint);
    }
  }
  return mountpoints;
}

}  // namespace

std::string EnterMountNamespace() {
  if (::unshare(CLONE_NEWNS) != 0 ||
      ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
    return "no mount namespace: " + std::generic_category().message(errno);
  }
  // The copies of others' mounts would keep these alive after they were unmounted.
  for (auto const& mountpoint : MountsOfTusfs()) ::umount2(mountpoint.c_str(), MNT_DETACH);
  return "";
}

LoopDisk::LoopDisk(fs::path image, std::string const& kind, std::uint64_t size, fs::path mountpoint)
    : image_(std::move(image)), mountpoint_(std::move(mountpoint)) {
  fs::create_directories(mountpoint_);
  WriteFile(image_, "");
  fs::resize_file(image_, size);
  Command mkfs{"mkfs." + kind, "-q"};
  if (kind == "ext4") mkfs.insert(mkfs.end(), {"-m", "0"});  // root has no more than others
  mkfs.push_back(image_);
  auto const made = RunProgram(mkfs);
  if (made.code != 0) throw std::runtime_error(mkfs.front() + ": " + made.err);
}

LoopDisk::~LoopDisk() { ::umount2(mountpoint_.c_str(), MNT_DETACH); }

std::string LoopDisk::Mount() {
  auto const mounted = RunProgram({"mount", "-o", "loop", image_, mountpoint_});
  return mounted.code == 0 ? "" : mounted.err;
}

bool LoopDisk::Unmount() {
  return WaitFor([&] { return ::umount2(mountpoint_.c_str(), 0) == 0; });
}

std::string LoopDisk::Abort() {
  auto const aborted = RunProgram({"mount", "-o", "remount,abort", mountpoint_});
  return aborted.code == 0 ? "" : aborted.err;
}

void LoopDisk::Repair() { (void)RunProgram({"fsck.ext4", "-fy", image_}); }

void LoopDisk::Fill(std::string const& name, std::uint64_t left) {
  int const fd = ::open((mountpoint_ / name).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  std::vector<char> const zeros(1 << 20);
  for (auto size = zeros.size(); size > 0;) {
    if (::write(fd, zeros.data(), size) <= 0) size /= 2;
  }
  auto const end = ::lseek(fd, 0, SEEK_END);
  if (::ftruncate(fd, std::max<off_t>(0, end - static_cast<off_t>(left))) != 0 ||
      ::fsync(fd) != 0) {
    throw std::system_error(errno, std::generic_category(), "fill");
  }
  ::close(fd);
}

}  // namespace tusfs_testing
