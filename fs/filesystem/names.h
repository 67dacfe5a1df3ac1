// Names: the calls that look them up, make them, take them away, move and list them.
//
// Errors as of the system calls of the same purpose. Decisions about handles are made inside the
// transaction, so that an unlink sees neither the name nor the handle, or both. What changes names
// takes effect once for each request (replies.h). Any thread; no lock of its own.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "catalog/store.h"
#include "filesystem/access_times.h"
#include "filesystem/bodies.h"
#include "filesystem/directory.h"
#include "filesystem/finishing.h"
#include "filesystem/removal.h"
#include "filesystem/replies.h"
#include "filesystem/types.h"
#include "spool/spool.h"

namespace tusfs {

class Names {
 public:
  /// The collaborators outlive it.
  Names(Store& store, Spool const& spool, Finishing& finishing, Replies const& replies,
        Bodies& bodies, Removal& removal, AccessTimes const& access_times, Clock const& clock);

  [[nodiscard]] Result<Attributes> Lookup(InodeId parent, std::string_view name) const;
  [[nodiscard]] Result<Attributes> MakeDirectory(Caller const& caller, InodeId parent,
                                                 std::string_view name, std::uint32_t mode);
  [[nodiscard]] Result<Attributes> MakeSymlink(Caller const& caller, InodeId parent,
                                               std::string_view name, std::string_view target);
  [[nodiscard]] Result<std::string> ReadSymlink(InodeId inode) const;
  /// `type`: anything but a directory and a symlink. `device`: of a device's type.
  [[nodiscard]] Result<Attributes> MakeNode(Caller const& caller, InodeId parent,
                                            std::string_view name, FileType type,
                                            std::uint32_t mode, std::uint64_t device);
  [[nodiscard]] Result<Attributes> Link(Caller const& caller, InodeId inode, InodeId parent,
                                        std::string_view name);
  [[nodiscard]] Result<void> Unlink(Caller const& caller, InodeId parent, std::string_view name);
  [[nodiscard]] Result<void> RemoveDirectory(Caller const& caller, InodeId parent,
                                             std::string_view name);
  /// `flags`: 0, RENAME_NOREPLACE or RENAME_EXCHANGE.
  [[nodiscard]] Result<void> Rename(Caller const& caller, InodeId from_parent,
                                    std::string_view from, InodeId to_parent, std::string_view to,
                                    unsigned flags);

  /// Names alone is several times faster: the attributes are inode and type then.
  enum class Listing { kNamesOnly, kWithAttributes };
  using Visit = std::function<bool(std::string const&, Attributes const&, std::uint64_t)>;
  /// Calls `visit(name, attributes, cookie)` for the entries behind `cookie` (0: all, beginning
  /// with . and ..) until it returns false, with the store's lock held. A cookie stays valid while
  /// the directory changes.
  [[nodiscard]] Result<void> ReadDirectory(InodeId directory, std::uint64_t cookie,
                                           Visit const& visit, Listing listing) const;

 private:
  [[nodiscard]] Result<Attributes> MakeNewNode(Caller const& caller, InodeId parent,
                                               std::string_view name, NewInode wanted);
  /// The answer to a request that was done before.
  [[nodiscard]] Result<Attributes> AttributesOf(Reply const& reply) const;

  Store& store_;
  Spool const& spool_;
  Finishing& finishing_;
  Replies const& replies_;
  Bodies& bodies_;
  Removal& removal_;
  AccessTimes const& access_times_;
  Clock const& clock_;
};

}  // namespace tusfs
