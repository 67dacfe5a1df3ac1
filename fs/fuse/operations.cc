#define FUSE_USE_VERSION 314
#include "fuse/operations.h"

#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <vector>

namespace tusfs {
namespace {

// Names, attributes and sizes change only through the kernel, so what it knows stays true.
constexpr double kCacheSeconds = 60;
// coreutils write in pieces of st_blksize, and bytes per request are what counts.
constexpr blksize_t kBlockSize = 1 << 20;
constexpr unsigned kMaxBackground = 64;

FuseContext& ContextOf(fuse_req_t request) {
  return *static_cast<FuseContext*>(::fuse_req_userdata(request));
}

Filesystem& FilesystemOf(fuse_req_t request) { return ContextOf(request).filesystem; }

// libfuse does not tell a callback the number of its request.
thread_local RequestId current_request;

Caller CallerOf(fuse_req_t request) {
  auto const* const context = ::fuse_req_ctx(request);
  return {
      .uid = context->uid, .gid = context->gid, .pid = context->pid, .request = current_request};
}

// The last guard: what escapes as an exception (memory, mostly) becomes EIO, not the daemon's end.
template <typename Body>
void Guard(fuse_req_t request, Body&& body) {
  try {
    body();
  } catch (std::exception const& error) {
    ContextOf(request).logger->error("request failed unexpectedly error=\"{}\"", error.what());
    ::fuse_reply_err(request, EIO);
  }
}

void ReplyError(fuse_req_t request, Error const& error) {
  // Plain answers (no such file …) carry no sentence; what an operator should read does.
  if (!error.context.empty()) {
    ContextOf(request).logger->error("request failed errno={} error=\"{}\"", error.code,
                                     error.context);
  }
  ::fuse_reply_err(request, error.code);
}

void Reply(fuse_req_t request, Result<void> const& result) {
  if (!result) return ReplyError(request, result.error());
  ::fuse_reply_err(request, 0);
}

timespec ToTimespec(FileTime time) {
  constexpr FileTime kSecond = 1'000'000'000;
  auto seconds = time / kSecond;
  auto nanoseconds = time % kSecond;
  if (nanoseconds < 0) {
    nanoseconds += kSecond;
    --seconds;
  }
  return {.tv_sec = static_cast<time_t>(seconds), .tv_nsec = static_cast<long>(nanoseconds)};
}

FileTime ToFileTime(timespec const& time) {
  return static_cast<FileTime>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

mode_t TypeBits(FileType type) {
  switch (type) {
    case FileType::kDirectory:
      return S_IFDIR;
    case FileType::kSymlink:
      return S_IFLNK;
    case FileType::kRegular:
      break;
  }
  return S_IFREG;
}

struct stat ToStat(Attributes const& attributes) {
  struct stat status {};
  status.st_ino = attributes.inode;
  status.st_mode = TypeBits(attributes.type) | attributes.mode;
  status.st_nlink = attributes.links;
  status.st_uid = attributes.uid;
  status.st_gid = attributes.gid;
  status.st_size = static_cast<off_t>(attributes.size);
  status.st_blksize = kBlockSize;
  status.st_blocks = static_cast<blkcnt_t>((attributes.size + 511) / 512);
  status.st_atim = ToTimespec(attributes.accessed);
  status.st_mtim = ToTimespec(attributes.modified);
  status.st_ctim = ToTimespec(attributes.changed);
  return status;
}

fuse_entry_param ToEntry(Attributes const& attributes) {
  fuse_entry_param entry{};
  entry.ino = attributes.inode;
  entry.generation = 1;  // inode numbers are never reused
  entry.attr = ToStat(attributes);
  entry.attr_timeout = kCacheSeconds;
  entry.entry_timeout = kCacheSeconds;
  return entry;
}

void ReplyEntry(fuse_req_t request, Result<Attributes> const& attributes) {
  if (!attributes) return ReplyError(request, attributes.error());
  auto const entry = ToEntry(*attributes);
  ::fuse_reply_entry(request, &entry);
}

void ReplyAttributes(fuse_req_t request, Result<Attributes> const& attributes) {
  if (!attributes) return ReplyError(request, attributes.error());
  auto const status = ToStat(*attributes);
  ::fuse_reply_attr(request, &status, kCacheSeconds);
}

// ---- the session

void Init(void*, fuse_conn_info* connection) {
  connection->max_background = kMaxBackground;
  connection->time_gran = 1;
  // Requests are read whole into memory; splicing them first only costs.
  connection->want &=
      ~static_cast<unsigned>(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE);
  // The kernel's own locks work on a mount that one machine has.
  connection->want &= ~static_cast<unsigned>(FUSE_CAP_POSIX_LOCKS | FUSE_CAP_FLOCK_LOCKS);
}

// ---- names

void Lookup(fuse_req_t request, fuse_ino_t parent, char const* name) {
  Guard(request, [&] { ReplyEntry(request, FilesystemOf(request).Lookup(parent, name)); });
}

void MakeDirectory(fuse_req_t request, fuse_ino_t parent, char const* name, mode_t mode) {
  Guard(request, [&] {
    ReplyEntry(request, FilesystemOf(request).MakeDirectory(CallerOf(request), parent, name, mode));
  });
}

void MakeSymlink(fuse_req_t request, char const* target, fuse_ino_t parent, char const* name) {
  Guard(request, [&] {
    ReplyEntry(request, FilesystemOf(request).MakeSymlink(CallerOf(request), parent, name, target));
  });
}

void ReadSymlink(fuse_req_t request, fuse_ino_t inode) {
  Guard(request, [&] {
    auto const target = FilesystemOf(request).ReadSymlink(inode);
    if (!target) return ReplyError(request, target.error());
    ::fuse_reply_readlink(request, target->c_str());
  });
}

void Link(fuse_req_t request, fuse_ino_t inode, fuse_ino_t parent, char const* name) {
  Guard(request, [&] {
    ReplyEntry(request, FilesystemOf(request).Link(CallerOf(request), inode, parent, name));
  });
}

void Unlink(fuse_req_t request, fuse_ino_t parent, char const* name) {
  Guard(request,
        [&] { Reply(request, FilesystemOf(request).Unlink(CallerOf(request), parent, name)); });
}

void RemoveDirectory(fuse_req_t request, fuse_ino_t parent, char const* name) {
  Guard(request, [&] {
    Reply(request, FilesystemOf(request).RemoveDirectory(CallerOf(request), parent, name));
  });
}

void Rename(fuse_req_t request, fuse_ino_t from_parent, char const* from, fuse_ino_t to_parent,
            char const* to, unsigned flags) {
  Guard(request, [&] {
    Reply(request,
          FilesystemOf(request).Rename(CallerOf(request), from_parent, from, to_parent, to, flags));
  });
}

// Collects one reply of readdir: what fits into the size that the kernel asks for.
void ListDirectory(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t offset,
                   bool with_attributes) {
  Guard(request, [&] {
    std::vector<char> reply(size);
    std::size_t used = 0;
    auto const add = [&](std::string const& name, Attributes const& attributes,
                         std::uint64_t cookie) {
      std::size_t need = 0;
      auto const next = static_cast<off_t>(cookie);
      if (with_attributes) {
        auto entry = ToEntry(attributes);
        // The kernel looks . and .. up itself.
        if (name == "." || name == "..") entry.ino = 0;
        need = ::fuse_add_direntry_plus(request, reply.data() + used, size - used, name.c_str(),
                                        &entry, next);
      } else {
        auto const status = ToStat(attributes);
        need = ::fuse_add_direntry(request, reply.data() + used, size - used, name.c_str(), &status,
                                   next);
      }
      if (need > size - used) return false;
      used += need;
      return true;
    };
    auto const listed =
        FilesystemOf(request).ReadDirectory(inode, static_cast<std::uint64_t>(offset), add);
    if (!listed) return ReplyError(request, listed.error());
    ::fuse_reply_buf(request, reply.data(), used);
  });
}

void ReadDirectory(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t offset,
                   fuse_file_info*) {
  ListDirectory(request, inode, size, offset, false);
}

void ReadDirectoryPlus(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t offset,
                       fuse_file_info*) {
  ListDirectory(request, inode, size, offset, true);
}

void SyncDirectory(fuse_req_t request, fuse_ino_t, int, fuse_file_info*) {
  Guard(request, [&] { Reply(request, FilesystemOf(request).SyncDirectory()); });
}

// ---- attributes

void GetAttributes(fuse_req_t request, fuse_ino_t inode, fuse_file_info*) {
  Guard(request, [&] { ReplyAttributes(request, FilesystemOf(request).GetAttributes(inode)); });
}

std::optional<FileTime> TimeOf(int to_set, int value_flag, int now_flag, timespec const& value) {
  if ((to_set & now_flag) != 0) return SystemClock().Wall();
  if ((to_set & value_flag) != 0) return ToFileTime(value);
  return std::nullopt;
}

void SetAttributes(fuse_req_t request, fuse_ino_t inode, struct stat* wanted, int to_set,
                   fuse_file_info* file) {
  Guard(request, [&] {
    AttributeChange change;
    if ((to_set & FUSE_SET_ATTR_MODE) != 0) change.mode = wanted->st_mode & 07777;
    if ((to_set & FUSE_SET_ATTR_UID) != 0) change.uid = wanted->st_uid;
    if ((to_set & FUSE_SET_ATTR_GID) != 0) change.gid = wanted->st_gid;
    if ((to_set & FUSE_SET_ATTR_SIZE) != 0) {
      change.size = static_cast<std::uint64_t>(wanted->st_size);
    }
    change.accessed = TimeOf(to_set, FUSE_SET_ATTR_ATIME, FUSE_SET_ATTR_ATIME_NOW, wanted->st_atim);
    change.modified = TimeOf(to_set, FUSE_SET_ATTR_MTIME, FUSE_SET_ATTR_MTIME_NOW, wanted->st_mtim);
    ReplyAttributes(request, FilesystemOf(request).SetAttributes(CallerOf(request), inode, change,
                                                                 file != nullptr ? file->fh : 0));
  });
}

void MeasureSpace(fuse_req_t request, fuse_ino_t) {
  Guard(request, [&] {
    auto const space = FilesystemOf(request).MeasureSpace();
    if (!space) return ReplyError(request, space.error());
    constexpr std::uint64_t kUnit = 4096;
    struct statvfs status {};
    status.f_bsize = kUnit;
    status.f_frsize = kUnit;
    status.f_blocks = space->capacity / kUnit;
    status.f_bfree = status.f_bavail = space->free / kUnit;
    status.f_files = space->inodes;
    status.f_ffree = status.f_favail = space->free_inodes;
    status.f_namemax = 255;
    ::fuse_reply_statfs(request, &status);
  });
}

// ---- data

// Write-only handles bypass the page cache, which is the fast way; so does a reader beside a
// writer, whose cached pages would grow old. Others may be mapped into memory and need the cache.
bool WantsDirectIo(Filesystem const& filesystem, InodeId inode, int flags) {
  auto const access = flags & O_ACCMODE;
  return access == O_WRONLY || (access == O_RDONLY && filesystem.HasWriters(inode));
}

void Create(fuse_req_t request, fuse_ino_t parent, char const* name, mode_t mode,
            fuse_file_info* file) {
  Guard(request, [&] {
    auto& filesystem = FilesystemOf(request);
    auto const created = filesystem.Create(CallerOf(request), parent, name, mode, file->flags);
    if (!created) return ReplyError(request, created.error());
    file->fh = created->handle;
    file->direct_io = WantsDirectIo(filesystem, created->attributes.inode, file->flags);
    auto const entry = ToEntry(created->attributes);
    ::fuse_reply_create(request, &entry, file);
  });
}

void Open(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file) {
  Guard(request, [&] {
    auto& filesystem = FilesystemOf(request);
    auto const handle = filesystem.Open(CallerOf(request), inode, file->flags);
    if (!handle) return ReplyError(request, handle.error());
    file->fh = *handle;
    file->direct_io = WantsDirectIo(filesystem, inode, file->flags);
    ::fuse_reply_open(request, file);
  });
}

void Read(fuse_req_t request, fuse_ino_t, std::size_t size, off_t offset, fuse_file_info* file) {
  Guard(request, [&] {
    // Kept by the thread: a fresh megabyte would be zeroed for each request.
    thread_local std::vector<std::byte> buffer;
    if (buffer.size() < size) buffer.resize(size);
    auto const got = FilesystemOf(request).Read(file->fh, static_cast<std::uint64_t>(offset),
                                                std::span(buffer).first(size));
    if (!got) return ReplyError(request, got.error());
    ::fuse_reply_buf(request, reinterpret_cast<char const*>(buffer.data()), *got);
  });
}

void Write(fuse_req_t request, fuse_ino_t, char const* bytes, std::size_t size, off_t offset,
           fuse_file_info* file) {
  Guard(request, [&] {
    auto const written =
        FilesystemOf(request).Write(CallerOf(request), file->fh, static_cast<std::uint64_t>(offset),
                                    std::as_bytes(std::span(bytes, size)));
    if (!written) return ReplyError(request, written.error());
    ::fuse_reply_write(request, size);
  });
}

void Flush(fuse_req_t request, fuse_ino_t, fuse_file_info* file) {
  Guard(request, [&] { Reply(request, FilesystemOf(request).Flush(CallerOf(request), file->fh)); });
}

void Sync(fuse_req_t request, fuse_ino_t, int, fuse_file_info* file) {
  Guard(request, [&] { Reply(request, FilesystemOf(request).Sync(file->fh)); });
}

void Release(fuse_req_t request, fuse_ino_t, fuse_file_info* file) {
  Guard(request, [&] { Reply(request, FilesystemOf(request).Release(file->fh)); });
}

fuse_lowlevel_ops MakeOperations() {
  fuse_lowlevel_ops operations{};
  operations.init = Init;
  operations.lookup = Lookup;
  operations.getattr = GetAttributes;
  operations.setattr = SetAttributes;
  operations.readlink = ReadSymlink;
  operations.mkdir = MakeDirectory;
  operations.unlink = Unlink;
  operations.rmdir = RemoveDirectory;
  operations.symlink = MakeSymlink;
  operations.rename = Rename;
  operations.link = Link;
  operations.open = Open;
  operations.read = Read;
  operations.write = Write;
  operations.flush = Flush;
  operations.release = Release;
  operations.fsync = Sync;
  operations.readdir = ReadDirectory;
  operations.readdirplus = ReadDirectoryPlus;
  operations.fsyncdir = SyncDirectory;
  operations.statfs = MeasureSpace;
  operations.create = Create;
  return operations;
}

}  // namespace

CurrentRequest::CurrentRequest(RequestId const& request) { current_request = request; }
CurrentRequest::~CurrentRequest() { current_request = {}; }

fuse_lowlevel_ops const& FuseOperations() {
  static fuse_lowlevel_ops const operations = MakeOperations();
  return operations;
}

}  // namespace tusfs
