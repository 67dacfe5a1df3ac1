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

bool IsBeneath(int fd, char const* directory) {
  char link[64];
  char path[4096];
  std::snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  auto const length = ::readlink(link, path, sizeof path - 1);
  if (length < 0) return false;
  path[length] = '\0';
  return std::strstr(path, directory) != nullptr;
}

bool IsOfTheSpool(int fd) { return IsBeneath(fd, "/spool/"); }
bool IsOfTheCatalog(int fd) { return IsBeneath(fd, "/catalog/"); }

/// As LMDB writes the head of its file.
bool IsSyncedWrite(int fd) {
  int const flags = ::fcntl(fd, F_GETFL);
  return flags >= 0 && (flags & O_DSYNC) != 0 && IsOfTheCatalog(fd);
}

int Value(std::atomic<std::int32_t> LocalTrouble::*field) {
  auto* const shared = Shared();
  return shared != nullptr ? (shared->*field).load() : 0;
}

bool Give(int error) {
  ++Shared()->errors_given;
  errno = error;
  return true;
}

/// Whether the call fails; errno is set then.
bool Fails(int fd, std::atomic<std::int32_t> LocalTrouble::*field) {
  int const error = Value(field);
  return error != 0 && IsOfTheSpool(fd) && Give(error);
}

void Delay(int milliseconds) {
  ++Shared()->delays_begun;
  timespec left{.tv_sec = milliseconds / 1000, .tv_nsec = milliseconds % 1000 * 1'000'000L};
  while (::nanosleep(&left, &left) != 0 && errno == EINTR) {
  }
}

/// Whether a write fails; a slow disk takes its time first.
bool FailsToWrite(int fd) {
  if (int const delay = Value(&LocalTrouble::write_delay); delay != 0 && IsOfTheSpool(fd)) {
    Delay(delay);
  }
  if (int const delay = Value(&LocalTrouble::catalog_sync_delay); delay != 0 && IsSyncedWrite(fd)) {
    Delay(delay);
  }
  if (int const error = Value(&LocalTrouble::catalog_error); error != 0 && IsSyncedWrite(fd)) {
    return Give(error);
  }
  return Fails(fd, &LocalTrouble::write_error);
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
  return FailsToWrite(fd) ? -1 : next(fd, bytes, size, offset);
}

// LMDB's.
ssize_t pwrite(int fd, void const* bytes, size_t size, off_t offset) {
  static auto const next = Next<ssize_t (*)(int, void const*, size_t, off_t)>("pwrite");
  return FailsToWrite(fd) ? -1 : next(fd, bytes, size, offset);
}

int fdatasync(int fd) {
  static auto const next = Next<int (*)(int)>("fdatasync");
  if (auto* const shared = Shared()) ++shared->syncs;
  if (int const delay = Value(&LocalTrouble::sync_delay); delay != 0 && IsOfTheSpool(fd)) {
    Delay(delay);
  }
  int const delay = Value(&LocalTrouble::catalog_sync_delay);
  if (delay != 0 && IsOfTheCatalog(fd)) Delay(delay);
  return Fails(fd, &LocalTrouble::sync_error) ? -1 : next(fd);
}

int unlinkat(int directory, char const* path, int flags) noexcept {
  static auto const next = Next<int (*)(int, char const*, int)>("unlinkat");
  int const delay = Value(&LocalTrouble::unlink_delay);
  if (delay != 0 && IsBeneath(directory, "/spool")) Delay(delay);
  return next(directory, path, flags);
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
