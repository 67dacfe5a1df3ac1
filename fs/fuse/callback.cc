#define FUSE_USE_VERSION 314
#include "fuse/callback.h"

#include <sys/stat.h>

#include <limits>

#include "fuse/server.h"

namespace tusfs {
namespace {

// Names, attributes and sizes change only through the kernel, so what it knows stays true.
constexpr double kCacheSeconds = 60;
// coreutils write in pieces of st_blksize, and bytes per request are what counts.
constexpr blksize_t kBlockSize = 1 << 20;

// libfuse does not tell a callback the number of its request.
thread_local RequestFacts current_request;

constexpr FileTime kSecond = 1'000'000'000;  // in nanoseconds

mode_t TypeBits(FileType type) {
  switch (type) {
    case FileType::kDirectory:
      return S_IFDIR;
    case FileType::kSymlink:
      return S_IFLNK;
    case FileType::kFifo:
      return S_IFIFO;
    case FileType::kSocket:
      return S_IFSOCK;
    case FileType::kCharDevice:
      return S_IFCHR;
    case FileType::kBlockDevice:
      return S_IFBLK;
    case FileType::kRegular:
      break;
  }
  return S_IFREG;
}

}  // namespace

CurrentRequest::CurrentRequest(RequestFacts const& request) { current_request = request; }
CurrentRequest::~CurrentRequest() { current_request = {}; }

Caller CallerOf(fuse_req_t request) {
  auto const* const context = ::fuse_req_ctx(request);
  return {.uid = context->uid,
          .gid = context->gid,
          .pid = context->pid,
          .request = current_request.id,
          .drops_privileges = current_request.drops_privileges};
}

void ExecuteLater(fuse_req_t request) {
  ContextOf(request).server->ExecuteLater();
  ::fuse_reply_none(request);
}

void ReplyError(fuse_req_t request, Error const& error) {
  // Plain answers (no such file …) carry no sentence; what an operator should read does.
  if (!error.context.empty()) {
    ContextOf(request).logger->Error("request failed errno={} error=\"{}\"", error.code,
                                     error.context);
  }
  ::fuse_reply_err(request, error.code);
}

void ReplyResult(fuse_req_t request, Result<void> const& result) {
  if (!result) return ReplyError(request, result.error());
  ::fuse_reply_err(request, 0);
}

FileTime ToFileTime(timespec const& time) {
  FileTime nanoseconds = 0;
  bool const is_kept = !__builtin_mul_overflow(time.tv_sec, kSecond, &nanoseconds) &&
                       !__builtin_add_overflow(nanoseconds, time.tv_nsec, &nanoseconds);
  if (is_kept) return nanoseconds;
  using Limits = std::numeric_limits<FileTime>;
  return time.tv_sec < 0 ? Limits::min() : Limits::max();
}

struct stat ToStat(Attributes const& attributes) {
  struct stat status {};
  status.st_ino = attributes.inode;
  status.st_mode = TypeBits(attributes.type) | attributes.mode;
  status.st_rdev = attributes.device;
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

}  // namespace tusfs
