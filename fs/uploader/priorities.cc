#include "uploader/priorities.h"

#include <cerrno>
#include <utility>

#include "catalog/life.h"
#include "catalog/tables.h"

namespace tusfs {
namespace {

bool IsWanted(View const& view, InodeId id) {
  auto const inode = GetInode(view, id);
  if (!inode) return inode.error().code != ENOENT;
  return inode->type == FileType::kDirectory || !life::IsUploaded(*inode);
}

}  // namespace

Result<void> Priorities::Load() {
  auto marked = store_.Update([](Transaction& transaction) -> Result<std::set<InodeId>> {
    auto listed = ListFirst(transaction);
    if (!listed) return listed;
    std::erase_if(*listed, [&](InodeId inode) {
      if (IsWanted(transaction, inode)) return false;
      SetFirst(transaction, inode, false);
      return true;
    });
    return listed;
  });
  if (!marked) return Failure(marked.error());
  MutexLock lock(mutex_);
  marked_ = *std::move(marked);
  return {};
}

Result<void> Priorities::Set(InodeId inode, bool first) {
  auto const set = store_.Update([&](Transaction& transaction) -> Result<void> {
    SetFirst(transaction, inode, first);
    return {};
  });
  if (!set) return set;
  {
    MutexLock lock(mutex_);
    if (first) {
      marked_.insert(inode);
    } else {
      marked_.erase(inode);
    }
  }
  return store_.Sync();
}

void Priorities::Done(InodeId inode) {
  if (!Marked().contains(inode)) return;
  auto const is_wanted = store_.Update([&](Transaction& transaction) -> Result<bool> {
    bool const wanted = IsWanted(transaction, inode);
    if (!wanted) SetFirst(transaction, inode, false);
    return wanted;
  });
  if (!is_wanted || *is_wanted) return;  // else the next start does it
  MutexLock lock(mutex_);
  marked_.erase(inode);
}

std::set<InodeId> Priorities::Marked() const {
  MutexLock lock(mutex_);
  return marked_;
}

bool Priorities::HasAny() const {
  MutexLock lock(mutex_);
  return !marked_.empty();
}

bool Priorities::Has(View const& view, Inode const& inode) const {
  if (!HasAny()) return false;
  return IsBeneath(view, inode, Marked());
}

}  // namespace tusfs
