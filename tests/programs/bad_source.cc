// Preloaded into a program: one file that it reads goes bad from some byte on, as a card that is
// pulled or a disk that hangs.
//   BAD_SOURCE       the file's path, as /proc/self/fd shows it
//   BAD_SOURCE_AT    how many bytes can be read
//   BAD_SOURCE_HOW   fails: then EIO; stalls: then the call waits for a signal
#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>

extern "C" __attribute__((visibility("default"))) ssize_t read(int fd, void* into, size_t count) {
  using Read = ssize_t (*)(int, void*, size_t);
  static auto const next = reinterpret_cast<Read>(::dlsym(RTLD_NEXT, "read"));
  char const* const source = std::getenv("BAD_SOURCE");
  char link[64];
  char path[PATH_MAX];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t const length = ::readlink(link, path, sizeof path - 1);
  if (source == nullptr || length < 0) return next(fd, into, count);
  path[length] = '\0';
  off_t const position = ::lseek(fd, 0, SEEK_CUR);
  if (std::strcmp(path, source) != 0 || position < 0) return next(fd, into, count);
  off_t const left = std::atoll(std::getenv("BAD_SOURCE_AT")) - position;
  if (left > 0) return next(fd, into, std::min(count, static_cast<size_t>(left)));
  if (std::strcmp(std::getenv("BAD_SOURCE_HOW"), "stalls") == 0) {
    while (true) ::pause();
  }
  errno = EIO;
  return -1;
}
