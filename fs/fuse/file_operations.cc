#define FUSE_USE_VERSION 314
#include <fcntl.h>

#include <span>
#include <vector>

#include "fuse/callback.h"
#include "fuse/server.h"

namespace tusfs {
namespace {

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
    if (!handle && handle.error().code == EAGAIN) return ExecuteLater(request);
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
    if (!got && got.error().code == EAGAIN) return ExecuteLater(request);
    if (!got) return ReplyError(request, got.error());
    ::fuse_reply_buf(request, reinterpret_cast<char const*>(buffer.data()), *got);
  });
}

void Write(fuse_req_t request, fuse_ino_t, char const* bytes, std::size_t size, off_t offset,
           fuse_file_info* file) {
  Guard(request, [&] {
    auto const written =
        FilesystemOf(request).Write(CallerOf(request), file->fh, static_cast<std::uint64_t>(offset),
                                    std::as_bytes(std::span(bytes, size)), file->writepage == 0);
    if (!written) return ReplyError(request, written.error());
    if (*written == Turn::kWait) {
      ContextOf(request).server->AnswerLater(
          {.handle = file->fh, .offset = static_cast<std::uint64_t>(offset)});
    }
    ::fuse_reply_write(request, size);
  });
}

void Flush(fuse_req_t request, fuse_ino_t, fuse_file_info* file) {
  Guard(request,
        [&] { ReplyResult(request, FilesystemOf(request).Flush(CallerOf(request), file->fh)); });
}

void Sync(fuse_req_t request, fuse_ino_t, int, fuse_file_info* file) {
  Guard(request, [&] { ReplyResult(request, FilesystemOf(request).Sync(file->fh)); });
}

void Release(fuse_req_t request, fuse_ino_t, fuse_file_info* file) {
  Guard(request, [&] { ReplyResult(request, FilesystemOf(request).Release(file->fh)); });
}

void Allocate(fuse_req_t request, fuse_ino_t, int mode, off_t offset, off_t length,
              fuse_file_info* file) {
  Guard(request, [&] {
    ReplyResult(request, FilesystemOf(request).Allocate(CallerOf(request), file->fh, mode,
                                                        static_cast<std::uint64_t>(offset),
                                                        static_cast<std::uint64_t>(length)));
  });
}

void Seek(fuse_req_t request, fuse_ino_t, off_t offset, int whence, fuse_file_info* file) {
  Guard(request, [&] {
    auto const found =
        FilesystemOf(request).Seek(file->fh, static_cast<std::uint64_t>(offset), whence);
    if (!found) return ReplyError(request, found.error());
    ::fuse_reply_lseek(request, static_cast<off_t>(*found));
  });
}

}  // namespace

void AddFileOperations(fuse_lowlevel_ops& operations) {
  operations.create = Create;
  operations.open = Open;
  operations.read = Read;
  operations.write = Write;
  operations.flush = Flush;
  operations.fsync = Sync;
  operations.release = Release;
  operations.fallocate = Allocate;
  operations.lseek = Seek;
}

}  // namespace tusfs
