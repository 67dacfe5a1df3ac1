#define FUSE_USE_VERSION 314
#include <string>
#include <string_view>

#include "fuse/callback.h"

namespace tusfs {
namespace {

// `size` 0 asks how large the buffer has to be.
void ReplyBytes(fuse_req_t request, std::string_view bytes, std::size_t size) {
  if (size == 0) {
    ::fuse_reply_xattr(request, bytes.size());
  } else if (bytes.size() > size) {
    ::fuse_reply_err(request, ERANGE);
  } else {
    ::fuse_reply_buf(request, bytes.data(), bytes.size());
  }
}

void GetXattr(fuse_req_t request, fuse_ino_t inode, char const* name, std::size_t size) {
  Guard(request, [&] {
    auto const value = FilesystemOf(request).GetXattr(CallerOf(request), inode, name);
    if (!value) return ReplyError(request, value.error());
    ReplyBytes(request, *value, size);
  });
}

void ListXattrs(fuse_req_t request, fuse_ino_t inode, std::size_t size) {
  Guard(request, [&] {
    auto const names = FilesystemOf(request).ListXattrs(CallerOf(request), inode);
    if (!names) return ReplyError(request, names.error());
    std::string list;
    for (auto const& name : *names) list.append(name).push_back('\0');
    ReplyBytes(request, list, size);
  });
}

void SetXattr(fuse_req_t request, fuse_ino_t inode, char const* name, char const* value,
              std::size_t size, int flags) {
  Guard(request, [&] {
    ReplyResult(request, FilesystemOf(request).SetXattr(CallerOf(request), inode, name,
                                                        std::string_view(value, size), flags));
  });
}

void RemoveXattr(fuse_req_t request, fuse_ino_t inode, char const* name) {
  Guard(request, [&] {
    ReplyResult(request, FilesystemOf(request).RemoveXattr(CallerOf(request), inode, name));
  });
}

}  // namespace

void AddXattrOperations(fuse_lowlevel_ops& operations) {
  operations.getxattr = GetXattr;
  operations.listxattr = ListXattrs;
  operations.setxattr = SetXattr;
  operations.removexattr = RemoveXattr;
}

}  // namespace tusfs
