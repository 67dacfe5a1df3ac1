// Preloaded into a program: one file that it reads goes bad from some byte on, as a card that is
// pulled or a disk that hangs.
//   BAD_SOURCE       the file's path, as /proc/self/fd shows it
//   BAD_SOURCE_AT    how many bytes can be read
//   BAD_SOURCE_HOW   fails: then EIO; stalls: then the call waits for a signal, and ends with EINTR
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

bool IsSource(int fd) {
  char const* const source = std::getenv("BAD_SOURCE");
  char link[64];
  char path[PATH_MAX];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t const length = ::readlink(link, path, sizeof path - 1);
  if (source == nullptr || length < 0) return false;
  path[length] = '\0';
  return std::strcmp(path, source) == 0;
}

template <typename Function>
Function* Next(char const* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

ssize_t Refuse() {
  errno = EINVAL;  // whoever has a shorter way than read(2) takes the long one
  return -1;
}

}  // namespace

#define INTERPOSED extern "C" __attribute__((visibility("default")))

INTERPOSED ssize_t read(int fd, void* into, size_t count) {
  static auto* const next = Next<ssize_t(int, void*, size_t)>("read");
  off_t const position = ::lseek(fd, 0, SEEK_CUR);
  if (position < 0 || !IsSource(fd)) return next(fd, into, count);
  off_t const left = std::atoll(std::getenv("BAD_SOURCE_AT")) - position;
  if (left > 0) return next(fd, into, std::min(count, static_cast<size_t>(left)));
  bool const stalls = std::strcmp(std::getenv("BAD_SOURCE_HOW"), "stalls") == 0;
  if (stalls) ::pause();
  errno = stalls ? EINTR : EIO;
  return -1;
}

INTERPOSED ssize_t sendfile(int to, int from, off_t* offset, size_t count) {
  static auto* const next = Next<ssize_t(int, int, off_t*, size_t)>("sendfile");
  return IsSource(from) ? Refuse() : next(to, from, offset, count);
}

INTERPOSED ssize_t sendfile64(int to, int from, off_t* offset, size_t count) {
  static auto* const next = Next<ssize_t(int, int, off_t*, size_t)>("sendfile64");
  return IsSource(from) ? Refuse() : next(to, from, offset, count);
}

INTERPOSED ssize_t splice(int from, off64_t* from_offset, int to, off64_t* to_offset, size_t count,
                          unsigned flags) {
  static auto* const next = Next<ssize_t(int, off64_t*, int, off64_t*, size_t, unsigned)>("splice");
  return IsSource(from) ? Refuse() : next(from, from_offset, to, to_offset, count, flags);
}

INTERPOSED ssize_t copy_file_range(int from, off64_t* from_offset, int to, off64_t* to_offset,
                                   size_t count, unsigned flags) {
  static auto* const next =
      Next<ssize_t(int, off64_t*, int, off64_t*, size_t, unsigned)>("copy_file_range");
  return IsSource(from) ? Refuse() : next(from, from_offset, to, to_offset, count, flags);
}
