// Calls of libc that change files, of this program and of the libraries that it is linked with:
// those beneath the root of the current Disk go through it, all others to the kernel.
#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstring>
#include <string>

#include "disk.h"
#include "randomness.h"

namespace {

using tusfs_life::CurrentDisk;
using tusfs_life::Disk;

int AsCall(long result) {
  if (result >= 0) return static_cast<int>(result);
  errno = static_cast<int>(-result);
  return -1;
}

ssize_t AsSize(long result) {
  if (result >= 0) return result;
  errno = static_cast<int>(-result);
  return -1;
}

Disk* Watching(int fd) {
  auto* const disk = CurrentDisk();
  return disk != nullptr && disk->Watches(fd) ? disk : nullptr;
}

/// The disk on which a name is, and its path there.
Disk* Watching(int directory, char const* name, std::string& path) {
  auto* const disk = CurrentDisk();
  if (disk == nullptr) return nullptr;
  path = disk->PathAt(directory, name);
  return disk->Watches(path) ? disk : nullptr;
}

int OpenAt(int directory, char const* name, int flags, mode_t mode) {
  std::string path;
  if (auto* const disk = Watching(directory, name, path))
    return AsCall(disk->Open(path, flags, mode));
  return static_cast<int>(::syscall(SYS_openat, directory, name, flags, mode));
}

ssize_t WriteAt(int fd, void const* bytes, size_t size, off_t offset) {
  if (auto* const disk = Watching(fd)) {
    return AsSize(disk->Write(fd, bytes, size, static_cast<std::uint64_t>(offset)));
  }
  return ::syscall(SYS_pwrite64, fd, bytes, size, offset);
}

int Truncate(int fd, off_t size) {
  if (auto* const disk = Watching(fd)) {
    return AsCall(disk->Truncate(fd, static_cast<std::uint64_t>(size)));
  }
  return static_cast<int>(::syscall(SYS_ftruncate, fd, size));
}

int Allocate(int fd, int mode, off_t offset, off_t length) {
  if (auto* const disk = Watching(fd)) {
    return AsCall(disk->Allocate(fd, mode, static_cast<std::uint64_t>(offset),
                                 static_cast<std::uint64_t>(length)));
  }
  return static_cast<int>(::syscall(SYS_fallocate, fd, mode, offset, length));
}

int Stat(int fd, struct stat* status) {
  auto const done = ::syscall(SYS_fstat, fd, status);
  if (auto* const disk = Watching(fd); disk != nullptr && done == 0) disk->Correct(fd, *status);
  return static_cast<int>(done);
}

int UnlinkAt(int directory, char const* name, int flags) {
  std::string path;
  if (auto* const disk = Watching(directory, name, path)) {
    return AsCall(disk->Unlink(path, (flags & AT_REMOVEDIR) != 0));
  }
  return static_cast<int>(::syscall(SYS_unlinkat, directory, name, flags));
}

int RenameAt(int from_directory, char const* from, int to_directory, char const* to,
             unsigned flags) {
  std::string from_path;
  std::string to_path;
  auto* const disk = Watching(from_directory, from, from_path);
  if (disk != nullptr && disk == Watching(to_directory, to, to_path)) {
    return AsCall(disk->Rename(from_path, to_path));
  }
  return static_cast<int>(::syscall(SYS_renameat2, from_directory, from, to_directory, to, flags));
}

int MakeDirectoryAt(int directory, char const* name, mode_t mode) {
  std::string path;
  if (auto* const disk = Watching(directory, name, path)) {
    return AsCall(disk->MakeDirectory(path, mode));
  }
  return static_cast<int>(::syscall(SYS_mkdirat, directory, name, mode));
}

int SetXattr(char const* name, char const* attribute, void const* value, size_t size, int flags) {
  std::string path;
  if (auto* const disk = Watching(AT_FDCWD, name, path)) {
    return AsCall(disk->SetXattr(path, attribute, value, size));
  }
  return static_cast<int>(::syscall(SYS_setxattr, name, attribute, value, size, flags));
}

mode_t ModeOf(int flags, va_list arguments) {
  bool const makes = (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
  return makes ? va_arg(arguments, mode_t) : 0;
}

}  // namespace

// Under names of their own here, because the headers redirect some of the real ones to each other.
#define TUSFS_LIFE_CALLED(name) __asm__(#name)
extern "C" {

int LifeOpen(char const* name, int flags, ...) TUSFS_LIFE_CALLED(open);
int LifeOpen64(char const* name, int flags, ...) TUSFS_LIFE_CALLED(open64);
int LifeOpenAt(int directory, char const* name, int flags, ...) TUSFS_LIFE_CALLED(openat);
int LifeOpenAt64(int directory, char const* name, int flags, ...) TUSFS_LIFE_CALLED(openat64);
int LifeClose(int fd) TUSFS_LIFE_CALLED(close);
int LifeDup(int fd) TUSFS_LIFE_CALLED(dup);
ssize_t LifePwrite(int, void const*, size_t, off_t) TUSFS_LIFE_CALLED(pwrite);
ssize_t LifePwrite64(int, void const*, size_t, off_t) TUSFS_LIFE_CALLED(pwrite64);
ssize_t LifeWrite(int, void const*, size_t) TUSFS_LIFE_CALLED(write);
ssize_t LifeWritev(int, iovec const*, int) TUSFS_LIFE_CALLED(writev);
int LifeTruncate(int, off_t) TUSFS_LIFE_CALLED(ftruncate);
int LifeTruncate64(int, off_t) TUSFS_LIFE_CALLED(ftruncate64);
int LifeAllocate(int, int, off_t, off_t) TUSFS_LIFE_CALLED(fallocate);
int LifeAllocate64(int, int, off_t, off_t) TUSFS_LIFE_CALLED(fallocate64);
int LifeFsync(int) TUSFS_LIFE_CALLED(fsync);
int LifeFdatasync(int) TUSFS_LIFE_CALLED(fdatasync);
int LifeSyncfs(int) TUSFS_LIFE_CALLED(syncfs);
int LifeStat(int, struct stat*) TUSFS_LIFE_CALLED(fstat);
int LifeStat64(int, struct stat*) TUSFS_LIFE_CALLED(fstat64);
int LifeUnlink(char const*) TUSFS_LIFE_CALLED(unlink);
int LifeRmdir(char const*) TUSFS_LIFE_CALLED(rmdir);
int LifeUnlinkAt(int, char const*, int) TUSFS_LIFE_CALLED(unlinkat);
int LifeRemove(char const*) TUSFS_LIFE_CALLED(remove);
int LifeRename(char const*, char const*) TUSFS_LIFE_CALLED(rename);
int LifeRenameAt(int, char const*, int, char const*) TUSFS_LIFE_CALLED(renameat);
int LifeMkdir(char const*, mode_t) TUSFS_LIFE_CALLED(mkdir);
int LifeMkdirAt(int, char const*, mode_t) TUSFS_LIFE_CALLED(mkdirat);
int LifeSetXattr(char const*, char const*, void const*, size_t, int) TUSFS_LIFE_CALLED(setxattr);
int LifeSetXattrOfLink(char const*, char const*, void const*, size_t, int)
    TUSFS_LIFE_CALLED(lsetxattr);
ssize_t LifeGetRandom(void*, size_t, unsigned) TUSFS_LIFE_CALLED(getrandom);

int LifeOpen(char const* name, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  auto const mode = ModeOf(flags, arguments);
  va_end(arguments);
  return OpenAt(AT_FDCWD, name, flags, mode);
}
int LifeOpen64(char const* name, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  auto const mode = ModeOf(flags, arguments);
  va_end(arguments);
  return OpenAt(AT_FDCWD, name, flags, mode);
}
int LifeOpenAt(int directory, char const* name, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  auto const mode = ModeOf(flags, arguments);
  va_end(arguments);
  return OpenAt(directory, name, flags, mode);
}
int LifeOpenAt64(int directory, char const* name, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  auto const mode = ModeOf(flags, arguments);
  va_end(arguments);
  return OpenAt(directory, name, flags, mode);
}

int LifeClose(int fd) {
  if (auto* const disk = CurrentDisk()) disk->Close(fd);
  return static_cast<int>(::syscall(SYS_close, fd));
}

int LifeDup(int fd) {
  auto const copy = static_cast<int>(::syscall(SYS_dup, fd));
  if (auto* const disk = CurrentDisk()) disk->Duplicate(fd, copy);
  return copy;
}

ssize_t LifePwrite(int fd, void const* bytes, size_t size, off_t offset) {
  return WriteAt(fd, bytes, size, offset);
}
ssize_t LifePwrite64(int fd, void const* bytes, size_t size, off_t offset) {
  return WriteAt(fd, bytes, size, offset);
}

ssize_t LifeWrite(int fd, void const* bytes, size_t size) {
  if (Watching(fd) == nullptr) return ::syscall(SYS_write, fd, bytes, size);
  auto const at = ::syscall(SYS_lseek, fd, 0, SEEK_CUR);
  auto const written = WriteAt(fd, bytes, size, at);
  if (written > 0) ::syscall(SYS_lseek, fd, written, SEEK_CUR);
  return written;
}

ssize_t LifeWritev(int fd, iovec const* parts, int count) {
  if (Watching(fd) == nullptr) return ::syscall(SYS_writev, fd, parts, count);
  std::string all;
  for (int i = 0; i < count; ++i) {
    all.append(static_cast<char const*>(parts[i].iov_base), parts[i].iov_len);
  }
  return LifeWrite(fd, all.data(), all.size());
}

int LifeTruncate(int fd, off_t size) { return Truncate(fd, size); }
int LifeTruncate64(int fd, off_t size) { return Truncate(fd, size); }
int LifeAllocate(int fd, int mode, off_t offset, off_t length) {
  return Allocate(fd, mode, offset, length);
}
int LifeAllocate64(int fd, int mode, off_t offset, off_t length) {
  return Allocate(fd, mode, offset, length);
}

int LifeFsync(int fd) {
  if (auto* const disk = Watching(fd)) return AsCall(disk->Sync(fd, true));
  return static_cast<int>(::syscall(SYS_fsync, fd));
}
int LifeFdatasync(int fd) {
  if (auto* const disk = Watching(fd)) return AsCall(disk->Sync(fd, false));
  return static_cast<int>(::syscall(SYS_fdatasync, fd));
}
int LifeSyncfs(int fd) {
  if (auto* const disk = Watching(fd)) return AsCall(disk->SyncAll());
  return static_cast<int>(::syscall(SYS_syncfs, fd));
}

int LifeStat(int fd, struct stat* status) { return Stat(fd, status); }
int LifeStat64(int fd, struct stat* status) { return Stat(fd, status); }

int LifeUnlink(char const* name) { return UnlinkAt(AT_FDCWD, name, 0); }
int LifeRmdir(char const* name) { return UnlinkAt(AT_FDCWD, name, AT_REMOVEDIR); }
int LifeUnlinkAt(int directory, char const* name, int flags) {
  return UnlinkAt(directory, name, flags);
}
int LifeRemove(char const* name) {
  auto const done = UnlinkAt(AT_FDCWD, name, 0);
  bool const is_directory = done != 0 && (errno == EISDIR || errno == EPERM);
  return is_directory ? UnlinkAt(AT_FDCWD, name, AT_REMOVEDIR) : done;
}

int LifeRename(char const* from, char const* to) {
  return RenameAt(AT_FDCWD, from, AT_FDCWD, to, 0);
}
int LifeRenameAt(int from_directory, char const* from, int to_directory, char const* to) {
  return RenameAt(from_directory, from, to_directory, to, 0);
}
int LifeMkdir(char const* name, mode_t mode) { return MakeDirectoryAt(AT_FDCWD, name, mode); }
int LifeMkdirAt(int directory, char const* name, mode_t mode) {
  return MakeDirectoryAt(directory, name, mode);
}
int LifeSetXattr(char const* name, char const* attribute, void const* value, size_t size,
                 int flags) {
  return SetXattr(name, attribute, value, size, flags);
}
int LifeSetXattrOfLink(char const* name, char const* attribute, void const* value, size_t size,
                       int flags) {
  return SetXattr(name, attribute, value, size, flags);
}

ssize_t LifeGetRandom(void* bytes, size_t size, unsigned flags) {
  if (tusfs_life::FillFromSeed(bytes, size)) return static_cast<ssize_t>(size);
  return ::syscall(SYS_getrandom, bytes, size, flags);
}

}  // extern "C"
