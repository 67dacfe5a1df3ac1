// Directories as names are put into them: for what makes an entry and what takes one away.
//
// Inside the caller's look at the store or its transaction; any thread.
#pragma once

#include <functional>
#include <string_view>

#include "catalog/store.h"
#include "filesystem/types.h"

namespace tusfs {

/// Errors: ENAMETOOLONG, ENOENT for an empty name.
[[nodiscard]] Result<void> CheckName(std::string_view name);

[[nodiscard]] bool IsDirectory(Inode const& inode);

/// A directory in which names may change. Errors: ENOTDIR; ENOENT, where it was removed too.
[[nodiscard]] Result<Inode> GetDirectory(View const& view, InodeId inode);

struct FoundName {
  Inode directory;
  Entry entry;
  Inode inode;
};
/// What a directory has under a name that is to go or to move. Errors: of GetDirectory; ENOENT.
[[nodiscard]] Result<FoundName> FindName(View const& view, InodeId parent, std::string_view name);

/// What a call makes under a name.
struct NewInode {
  FileType type = FileType::kRegular;
  std::uint32_t mode = 0;  ///< permission bits; others are left out
  FileTime now = 0;
  std::function<void(Inode&)> fill{};  ///< completes it before it is put; may be empty
};
/// Adds it, which is the caller's, to the directory `parent`. Errors: EEXIST, and those of
/// CheckName and GetDirectory.
[[nodiscard]] Result<Inode> AddInode(Transaction& transaction, Caller const& caller, InodeId parent,
                                     std::string_view name, NewInode const& wanted);

}  // namespace tusfs
