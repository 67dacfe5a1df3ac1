// What stat(2) shows of an inode, and what a change of its attributes takes along.
//
// An open file is ahead of its record: its size and mtime are asked of its version, which puts them
// into the record before each close, fsync and setattr. Inside the caller's look at the store or
// its transaction; any thread.
#pragma once

#include <string_view>

#include "catalog/store.h"
#include "filesystem/types.h"
#include "spool/spool.h"
#include "spool/version.h"

namespace tusfs {

/// Brings size and mtime from an open version, which is ahead of its record, into the record.
/// Nothing happens for null, and for a version that is not the inode's any more.
void CatchUp(Inode& inode, Version const* version);

/// What stat(2) shows of it now, open or not.
[[nodiscard]] Attributes Show(Spool const& spool, Inode inode);
/// Errors: ENOENT.
[[nodiscard]] Result<Attributes> Stat(View const& view, Spool const& spool, InodeId inode);

/// Takes set-id bits and capabilities away, as a change by somebody else than root does. The caller
/// puts the inode.
void DropPrivileges(Transaction& transaction, Inode& inode);

constexpr std::string_view kCapability = "security.capability";

}  // namespace tusfs
