#include "filesystem/access_times.h"

#include "catalog/tables.h"

namespace tusfs {
namespace {

bool Counts(Inode const& inode, FileTime now) {
  constexpr FileTime kDay = FileTime{24} * 3600 * 1'000'000'000;
  return inode.accessed <= inode.modified || inode.accessed <= inode.changed ||
         inode.accessed + kDay <= now;
}

}  // namespace

void AccessTimes::Note(InodeId id) const {
  auto const now = clock_.Wall();
  auto const known = store_.Read([&](View const& view) { return GetInode(view, id); });
  if (!known || !Counts(*known, now)) return;
  auto const noted = store_.Update([&](Transaction& transaction) -> Result<void> {
    auto inode = GetInode(transaction, id);
    if (!inode) return Failure(inode.error());
    inode->accessed = now;
    PutInode(transaction, *inode);
    transaction.NoHurry();
    return {};
  });
  if (!noted) logger_->Debug("access not noted inode={} error=\"{}\"", id, Describe(noted.error()));
}

}  // namespace tusfs
