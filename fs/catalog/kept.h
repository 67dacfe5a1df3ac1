// Which uploaded files still have their bytes in the spool, least recently used first: what may go
// when room is needed.
//
// Rows: kept (time of last use + inode). PutInode and DeleteInode keep them; a file is there while
// its content is kUploaded, it has a version, and Inode::kept_at is set. Functions run inside the
// caller's Store::Read or Store::Update.
#pragma once

#include <cstddef>
#include <vector>

#include "catalog/records.h"
#include "catalog/store.h"

namespace tusfs {

struct KeptFile {
  FileTime used = 0;
  InodeId inode = 0;
};

/// At most `limit` files behind `after`, in the order in which they were used.
[[nodiscard]] Result<std::vector<KeptFile>> ListKept(View const& view, KeptFile const& after,
                                                     std::size_t limit);

/// Somebody uses the bytes of the file. The caller puts the inode.
void UseKept(Transaction& transaction, Inode& inode, FileTime now);

/// The server has confirmed the whole of it. Nothing happens to what is not finished (life.h). The
/// caller puts the inode.
void MarkUploaded(Transaction& transaction, Inode& inode, FileTime now);

/// Whether it is an uploaded file, and was uploaded before `time`.
[[nodiscard]] bool WasUploadedBefore(Inode const& inode, FileTime time);

// For PutInode and DeleteInode.
void IndexKept(Transaction& transaction, Inode const& inode);
void UnindexKept(Transaction& transaction, Inode const& inode);

}  // namespace tusfs
