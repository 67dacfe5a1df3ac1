#include "filesystem/directory.h"

#include <sys/stat.h>

#include <cerrno>

#include "catalog/namespace.h"
#include "catalog/tables.h"

namespace tusfs {
namespace {

Inode MakeInode(Caller const& caller, Inode const& parent, InodeId id, NewInode const& wanted) {
  Inode inode;
  inode.id = id;
  inode.type = wanted.type;
  inode.mode = wanted.mode & 07777;
  inode.uid = caller.uid;
  inode.gid = caller.gid;
  if ((parent.mode & S_ISGID) != 0) {
    inode.gid = parent.gid;
    if (IsDirectory(inode)) inode.mode |= S_ISGID;
  }
  inode.links = IsDirectory(inode) ? 2 : 1;
  inode.accessed = inode.modified = inode.changed = wanted.now;
  if (wanted.fill) wanted.fill(inode);
  return inode;
}

}  // namespace

Result<void> CheckName(std::string_view name) {
  if (name.size() > kLongestName) return Fail(ENAMETOOLONG);
  if (name.empty()) return Fail(ENOENT);
  return {};
}

bool IsDirectory(Inode const& inode) { return inode.type == FileType::kDirectory; }

Result<Inode> GetDirectory(View const& view, InodeId id) {
  auto inode = GetInode(view, id);
  if (inode && !IsDirectory(*inode)) return Fail(ENOTDIR);
  if (inode && inode->links == 0) return Fail(ENOENT);
  return inode;
}

Result<FoundName> FindName(View const& view, InodeId parent, std::string_view name) {
  auto directory = GetDirectory(view, parent);
  if (!directory) return Failure(directory.error());
  auto const entry = FindEntry(view, parent, name);
  if (!entry) return Failure(entry.error());
  if (!*entry) return Fail(ENOENT);
  auto inode = GetInode(view, (*entry)->inode);
  if (!inode) return Failure(inode.error());
  return FoundName{*std::move(directory), **entry, *std::move(inode)};
}

Result<Inode> AddInode(Transaction& transaction, Caller const& caller, InodeId parent,
                       std::string_view name, NewInode const& wanted) {
  if (auto checked = CheckName(name); !checked) return Failure(checked.error());
  auto directory = GetDirectory(transaction, parent);
  if (!directory) return directory;
  auto const existing = FindEntry(transaction, parent, name);
  if (!existing) return Failure(existing.error());
  if (*existing) return Fail(EEXIST);
  auto const id = transaction.NewNumber(Counter::kInode);
  if (!id) return Failure(id.error());
  auto inode = MakeInode(caller, *directory, *id, wanted);
  AddEntry(transaction, *directory, name, inode);
  if (IsDirectory(inode)) ++directory->links;
  directory->modified = directory->changed = inode.changed;
  PutInode(transaction, *directory);
  PutInode(transaction, inode);
  return inode;
}

}  // namespace tusfs
