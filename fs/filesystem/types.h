// What the filesystem speaks in: plain values of POSIX, without FUSE.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

#include "catalog/records.h"

namespace tusfs {

/// A request of the kernel, which may come a second time: to the successor of a daemon that died
/// over it.
struct RequestId {
  std::uint32_t slot = 0;    ///< where it is kept; no two unanswered requests share one
  std::uint64_t unique = 0;  ///< its number in this connection; 0: it will not come again
  bool replayed = false;     ///< this is the second time
};

/// Who asks. `pid` is the calling thread's id as the daemon sees it, 0 where it cannot be seen.
struct Caller {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  pid_t pid = 0;
  RequestId request{};
  /// Its change takes set-user-ID and set-group-ID bits away from the file.
  bool drops_privileges = false;
};

/// What stat(2) shows.
struct Attributes {
  InodeId inode = 0;
  FileType type = FileType::kRegular;
  std::uint32_t mode = 0;  ///< permission bits only
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint32_t links = 0;
  std::uint64_t size = 0;    ///< bytes
  std::uint64_t device = 0;  ///< number of a device
  FileTime accessed = 0;
  FileTime modified = 0;
  FileTime changed = 0;
};

/// What setattr asks for; what is not set stays.
struct AttributeChange {
  std::optional<std::uint32_t> mode;
  std::optional<std::uint32_t> uid;
  std::optional<std::uint32_t> gid;
  std::optional<std::uint64_t> size;
  std::optional<FileTime> accessed;
  std::optional<FileTime> modified;
};

}  // namespace tusfs
