#include "catalog/mapping.h"

#include <sys/stat.h>

#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>

namespace tusfs {

std::span<std::byte> FindMapping(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return {};
  std::ifstream maps("/proc/self/maps");
  // 7f3a54000000-7f3a94000000 r--s 00000000 fe:00 966665   /var/lib/…/data.mdb
  // The device is not always the one that stat(2) shows (btrfs), so the inode has to do.
  for (std::string line; std::getline(maps, line);) {
    std::istringstream fields(line);
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    char dash = 0;
    std::string permissions;
    std::string offset;
    std::string device;
    std::uint64_t inode = 0;
    fields >> std::hex >> begin >> dash >> end >> permissions >> offset >> device >> std::dec >>
        inode;
    if (!fields || permissions != "r--s" || inode != status.st_ino) continue;
    // NOLINTNEXTLINE(performance-no-int-to-ptr): the kernel says it as a number
    return {reinterpret_cast<std::byte*>(begin), end - begin};
  }
  return {};
}

}  // namespace tusfs
