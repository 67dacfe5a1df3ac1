#include "filesystem/attributes.h"

#include <sys/stat.h>

#include "catalog/tables.h"

namespace tusfs {

void CatchUp(Inode& inode, Version const* version) {
  if (version == nullptr || version->id() != inode.version) return;
  inode.size = version->size();
  if (auto const modified = version->modified()) inode.modified = inode.changed = *modified;
}

Attributes Show(Spool const& spool, Inode inode) {
  if (inode.version != 0) CatchUp(inode, spool.FindOpen(inode.version).get());
  return {.inode = inode.id,
          .type = inode.type,
          .mode = inode.mode,
          .uid = inode.uid,
          .gid = inode.gid,
          .links = inode.links,
          .size = inode.size,
          .device = inode.device,
          .accessed = inode.accessed,
          .modified = inode.modified,
          .changed = inode.changed};
}

Result<Attributes> Stat(View const& view, Spool const& spool, InodeId id) {
  auto const inode = GetInode(view, id);
  if (!inode) return Failure(inode.error());
  return Show(spool, *inode);
}

void DropPrivileges(Transaction& transaction, Inode& inode) {
  if (inode.type == FileType::kDirectory) return;
  inode.mode &= ~static_cast<std::uint32_t>(S_ISUID);
  if ((inode.mode & S_IXGRP) != 0) inode.mode &= ~static_cast<std::uint32_t>(S_ISGID);
  DeleteXattr(transaction, inode.id, kCapability);
}

}  // namespace tusfs
