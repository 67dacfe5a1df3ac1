#define FUSE_USE_VERSION 314
#include "fuse/operations.h"

#include <sys/stat.h>
#include <sys/statvfs.h>

#include <optional>
#include <vector>

#include "fuse/callback.h"

namespace tusfs {
namespace {

constexpr unsigned kMaxBackground = 512;  // some may have to wait for an answer

// ---- the session

void Init(void*, fuse_conn_info* connection) {
  connection->max_background = kMaxBackground;
  connection->time_gran = 1;
  // Requests are read whole into memory; splicing them first only costs.
  connection->want &=
      ~static_cast<unsigned>(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE);
  // The kernel's own locks work on a mount that one machine has.
  connection->want &= ~static_cast<unsigned>(FUSE_CAP_POSIX_LOCKS | FUSE_CAP_FLOCK_LOCKS);
  // Attributes come with every listing. Left to itself the kernel asks for them only while a
  // program looks at each entry at once; those that read all names first (du, rsync) would ask one
  // by one.
  connection->want &= ~static_cast<unsigned>(FUSE_CAP_READDIRPLUS_AUTO);
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

// Of what mknod(2) makes.
std::optional<FileType> TypeOf(mode_t mode) {
  switch (mode & S_IFMT) {
    case 0:
    case S_IFREG:
      return FileType::kRegular;
    case S_IFIFO:
      return FileType::kFifo;
    case S_IFSOCK:
      return FileType::kSocket;
    case S_IFCHR:
      return FileType::kCharDevice;
    case S_IFBLK:
      return FileType::kBlockDevice;
    default:
      return std::nullopt;
  }
}

void MakeNode(fuse_req_t request, fuse_ino_t parent, char const* name, mode_t mode, dev_t device) {
  Guard(request, [&] {
    auto const type = TypeOf(mode);
    if (!type) return ReplyError(request, {.code = EINVAL, .context = {}});
    ReplyEntry(request, FilesystemOf(request).MakeNode(CallerOf(request), parent, name, *type,
                                                       mode & 07777, device));
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
  Guard(request, [&] {
    ReplyResult(request, FilesystemOf(request).Unlink(CallerOf(request), parent, name));
  });
}

void RemoveDirectory(fuse_req_t request, fuse_ino_t parent, char const* name) {
  Guard(request, [&] {
    ReplyResult(request, FilesystemOf(request).RemoveDirectory(CallerOf(request), parent, name));
  });
}

void Rename(fuse_req_t request, fuse_ino_t from_parent, char const* from, fuse_ino_t to_parent,
            char const* to, unsigned flags) {
  Guard(request, [&] {
    ReplyResult(request, FilesystemOf(request).Rename(CallerOf(request), from_parent, from,
                                                      to_parent, to, flags));
  });
}

// Collects one reply of readdir: what fits into the size that the kernel asks for.
void ListDirectory(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t offset,
                   Filesystem::Listing listing) {
  Guard(request, [&] {
    std::vector<char> reply(size);
    std::size_t used = 0;
    auto const add = [&](std::string const& name, Attributes const& attributes,
                         std::uint64_t cookie) {
      std::size_t need = 0;
      auto const next = static_cast<off_t>(cookie);
      if (listing == Filesystem::Listing::kWithAttributes) {
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
    auto const listed = FilesystemOf(request).ReadDirectory(
        inode, static_cast<std::uint64_t>(offset), add, listing);
    if (!listed) return ReplyError(request, listed.error());
    ::fuse_reply_buf(request, reply.data(), used);
  });
}

void ReadDirectory(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t offset,
                   fuse_file_info*) {
  ListDirectory(request, inode, size, offset, Filesystem::Listing::kNamesOnly);
}

void ReadDirectoryPlus(fuse_req_t request, fuse_ino_t inode, std::size_t size, off_t offset,
                       fuse_file_info*) {
  ListDirectory(request, inode, size, offset, Filesystem::Listing::kWithAttributes);
}

void SyncDirectory(fuse_req_t request, fuse_ino_t, int, fuse_file_info*) {
  Guard(request, [&] { ReplyResult(request, FilesystemOf(request).SyncDirectory()); });
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
    auto const attributes = FilesystemOf(request).SetAttributes(CallerOf(request), inode, change,
                                                                file != nullptr ? file->fh : 0);
    if (!attributes && attributes.error().code == EAGAIN) return ExecuteLater(request);
    ReplyAttributes(request, attributes);
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

fuse_lowlevel_ops MakeOperations() {
  fuse_lowlevel_ops operations{};
  operations.init = Init;
  operations.lookup = Lookup;
  operations.getattr = GetAttributes;
  operations.setattr = SetAttributes;
  operations.readlink = ReadSymlink;
  operations.mknod = MakeNode;
  operations.mkdir = MakeDirectory;
  operations.unlink = Unlink;
  operations.rmdir = RemoveDirectory;
  operations.symlink = MakeSymlink;
  operations.rename = Rename;
  operations.link = Link;
  operations.readdir = ReadDirectory;
  operations.readdirplus = ReadDirectoryPlus;
  operations.fsyncdir = SyncDirectory;
  operations.statfs = MeasureSpace;
  AddFileOperations(operations);
  AddXattrOperations(operations);
  return operations;
}

}  // namespace

fuse_lowlevel_ops const& FuseOperations() {
  static fuse_lowlevel_ops const operations = MakeOperations();
  return operations;
}

}  // namespace tusfs
