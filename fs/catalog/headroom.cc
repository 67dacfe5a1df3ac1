#include "catalog/headroom.h"

#include <fcntl.h>
#include <sys/stat.h>

namespace tusfs {

Result<void> ReserveBehindEnd(int fd, std::uint64_t bytes) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return FailErrno("catalog");
  if (::fallocate(fd, FALLOC_FL_KEEP_SIZE, status.st_size, static_cast<off_t>(bytes)) != 0) {
    return FailErrno("catalog");
  }
  return {};
}

}  // namespace tusfs
