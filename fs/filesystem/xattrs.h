// Extended attributes: those of the namespaces user, trusted and security are kept.
//
// user.tusfs.* say how a file's upload is; they cannot be set, and are not listed, so that a copy
// of a file does not take them along. Who may read which namespace is the kernel's to decide;
// trusted.* are listed to root alone. Any thread; no lock of its own.
#pragma once

#include <atomic>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "catalog/store.h"
#include "filesystem/open_files.h"
#include "filesystem/replies.h"
#include "filesystem/report.h"
#include "filesystem/types.h"

namespace tusfs {

class Xattrs {
 public:
  /// The collaborators outlive it.
  Xattrs(Store& store, Replies const& replies, Reporter const& reporter, OpenFiles const& open,
         Clock const& clock)
      : store_(store), replies_(replies), reporter_(reporter), open_(open), clock_(clock) {}

  /// Errors: ENODATA; EOPNOTSUPP for another namespace, and for the label of SELinux as long as no
  /// file has one; EACCES for a secret of somebody else.
  [[nodiscard]] Result<std::string> Get(Caller const& caller, InodeId inode,
                                        std::string_view name) const;
  [[nodiscard]] Result<std::vector<std::string>> List(Caller const& caller, InodeId inode) const;

  /// `flags`: 0, XATTR_CREATE or XATTR_REPLACE. Errors: EEXIST, ENODATA, EOPNOTSUPP; EPERM for
  /// user.tusfs.*; EINVAL for a namespace alone; ENOSPC past 64 KiB of names and values for one
  /// inode. Takes the lock of an ActiveFile, where a capability may have come.
  [[nodiscard]] Result<void> Set(Caller const& caller, InodeId inode, std::string_view name,
                                 std::string_view value, int flags);
  /// Errors: ENODATA, EOPNOTSUPP, EPERM, as above.
  [[nodiscard]] Result<void> Remove(Caller const& caller, InodeId inode, std::string_view name);

 private:
  enum class Labels { kNotKnown, kNone, kSome };
  [[nodiscard]] bool MayHaveLabels() const;
  [[nodiscard]] Result<std::string> GetStatus(Caller const& caller, InodeId inode,
                                              std::string_view field) const;
  /// A writer of the file has to look again.
  void MayHavePrivileges(InodeId inode);

  Store& store_;
  Replies const& replies_;
  Reporter const& reporter_;
  OpenFiles const& open_;
  Clock const& clock_;
  mutable std::atomic<Labels> labels_ = Labels::kNotKnown;
};

}  // namespace tusfs
