#include "catalog/kept.h"

#include "catalog/codec.h"
#include "catalog/life.h"

namespace tusfs {
namespace {

std::string KeyOf(KeptFile const& file) {
  return Key(static_cast<std::uint64_t>(file.used), file.inode);
}

}  // namespace

Result<std::vector<KeptFile>> ListKept(View const& view, KeptFile const& after, std::size_t limit) {
  std::vector<KeptFile> files;
  auto const first = KeyOf({.used = after.used, .inode = after.inode + 1});
  auto scanned = view.Scan(Table::kKept, "", first, [&](std::string_view key, std::string_view) {
    files.push_back({.used = static_cast<FileTime>(KeyNumber(key)),
                     .inode = KeyNumber(key, sizeof(std::uint64_t))});
    return files.size() < limit;
  });
  if (!scanned) return Failure(scanned.error());
  return files;
}

void UseKept(Transaction& transaction, Inode& inode, FileTime now) {
  UnindexKept(transaction, inode);
  inode.kept_at = now;
}

void MarkUploaded(Transaction& transaction, Inode& inode, FileTime now) {
  life::Publish(inode);
  if (!life::IsUploaded(inode)) return;
  inode.published = now;
  UseKept(transaction, inode, now);
}

bool WasUploadedBefore(Inode const& inode, FileTime time) {
  auto const published = inode.published != 0 ? inode.published : inode.changed;
  return inode.type == FileType::kRegular && life::IsUploaded(inode) && published < time;
}

void IndexKept(Transaction& transaction, Inode const& inode) {
  if (inode.kept_at <= 0) return;
  if (life::IsUploaded(inode) && inode.version != 0) {
    transaction.Put(Table::kKept, KeyOf({.used = inode.kept_at, .inode = inode.id}), {});
  } else {
    UnindexKept(transaction, inode);
  }
}

void UnindexKept(Transaction& transaction, Inode const& inode) {
  if (inode.kept_at <= 0) return;
  transaction.Delete(Table::kKept, KeyOf({.used = inode.kept_at, .inode = inode.id}));
}

}  // namespace tusfs
