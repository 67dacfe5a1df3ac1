// Preloaded into a daemon under test (LD_PRELOAD): see trouble.h. Without the variable it does
// nothing.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "testing/trouble.h"

namespace {

using tusfs_testing::LocalTrouble;

constexpr long kSecond = 1'000'000'000;

LocalTrouble* Shared() {
  static auto* const shared = []() -> LocalTrouble* {
    char const* const path = std::getenv(tusfs_testing::kTroubleVariable);
    int const fd = path != nullptr ? ::open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) return nullptr;
    void* const memory =
        ::mmap(nullptr, sizeof(LocalTrouble), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ::close(fd);
    return memory == MAP_FAILED ? nullptr : static_cast<LocalTrouble*>(memory);
  }();
  return shared;
}

bool IsOfTheSpool(int fd) {
  char link[64];
  char path[4096];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  auto const length = ::readlink(link, path, sizeof path - 1);
  if (length < 0) return false;
  path[length] = '\0';
  return std::strstr(path, "/spool/") != nullptr;
}

/// Whether the call fails; errno is set then.
bool Fails(int fd, std::atomic<std::int32_t> LocalTrouble::*error) {
  auto* const shared = Shared();
  int const wanted = shared != nullptr ? (shared->*error).load() : 0;
  if (wanted == 0 || !IsOfTheSpool(fd)) return false;
  ++shared->errors_given;
  errno = wanted;
  return true;
}

template <typename Function>
Function Next(char const* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

ssize_t pread64(int fd, void* bytes, size_t size, off64_t offset) {
  static auto const next = Next<ssize_t (*)(int, void*, size_t, off64_t)>("pread64");
  return Fails(fd, &LocalTrouble::read_error) ? -1 : next(fd, bytes, size, offset);
}

ssize_t pwrite64(int fd, void const* bytes, size_t size, off64_t offset) {
  static auto const next = Next<ssize_t (*)(int, void const*, size_t, off64_t)>("pwrite64");
  return Fails(fd, &LocalTrouble::write_error) ? -1 : next(fd, bytes, size, offset);
}

int fdatasync(int fd) {
  static auto const next = Next<int (*)(int)>("fdatasync");
  return Fails(fd, &LocalTrouble::sync_error) ? -1 : next(fd);
}

int clock_gettime(clockid_t clock, timespec* time) noexcept {
  static auto const next = Next<int (*)(clockid_t, timespec*)>("clock_gettime");
  int const result = next(clock, time);
  auto* const shared = Shared();
  if (result != 0 || shared == nullptr || clock != CLOCK_REALTIME) return result;
  auto const jump = shared->clock_jump.load();
  time->tv_sec += jump / kSecond;
  time->tv_nsec += jump % kSecond;
  if (time->tv_nsec < 0) {
    time->tv_nsec += kSecond;
    --time->tv_sec;
  } else if (time->tv_nsec >= kSecond) {
    time->tv_nsec -= kSecond;
    ++time->tv_sec;
  }
  return result;
}

}  // extern "C"
