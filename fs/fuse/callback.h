// What libfuse's callbacks have in common: who asks, and how values of Filesystem become replies.
#pragma once

#include <fuse_lowlevel.h>

#include <cerrno>
#include <exception>

#include "fuse/operations.h"

namespace tusfs {

inline FuseContext& ContextOf(fuse_req_t request) {
  return *static_cast<FuseContext*>(::fuse_req_userdata(request));
}

inline Filesystem& FilesystemOf(fuse_req_t request) { return ContextOf(request).filesystem; }

[[nodiscard]] Caller CallerOf(fuse_req_t request);

// The last guard: what escapes as an exception (memory, mostly) becomes EIO, not the daemon's end.
template <typename Body>
void Guard(fuse_req_t request, Body&& body) {
  try {
    body();
  } catch (std::exception const& error) {
    ContextOf(request).logger->Error("request failed unexpectedly error=\"{}\"", error.what());
    ::fuse_reply_err(request, EIO);
  }
}

/// Of a call that failed with EAGAIN: it waits for bytes, and is executed again when they are
/// there.
void ExecuteLater(fuse_req_t request);
void ReplyError(fuse_req_t request, Error const& error);
void ReplyResult(fuse_req_t request, Result<void> const& result);
void ReplyEntry(fuse_req_t request, Result<Attributes> const& attributes);
void ReplyAttributes(fuse_req_t request, Result<Attributes> const& attributes);

[[nodiscard]] struct stat ToStat(Attributes const& attributes);
[[nodiscard]] fuse_entry_param ToEntry(Attributes const& attributes);
/// What the catalog cannot keep, before 1677 and after 2262, is the nearest time that it can.
[[nodiscard]] FileTime ToFileTime(timespec const& time);

// The callbacks that are not in operations.cc: of open files (file_operations.cc), of extended
// attributes (xattr_operations.cc).
void AddFileOperations(fuse_lowlevel_ops& operations);
void AddXattrOperations(fuse_lowlevel_ops& operations);

}  // namespace tusfs
