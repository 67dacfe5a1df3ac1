#include "catalog/first.h"

#include <string>
#include <string_view>

#include "catalog/codec.h"
#include "catalog/tables.h"

namespace tusfs {
namespace {

constexpr std::string_view kPrefix = "first.";

}  // namespace

void SetFirst(Transaction& transaction, InodeId inode, bool first) {
  auto key = std::string(kPrefix) + Key(inode);
  if (first) {
    transaction.Put(Table::kMeta, std::move(key), {});
  } else {
    transaction.Delete(Table::kMeta, std::move(key));
  }
}

Result<std::set<InodeId>> ListFirst(View const& view) {
  std::set<InodeId> marked;
  auto const scanned =
      view.Scan(Table::kMeta, kPrefix, kPrefix, [&](std::string_view key, std::string_view) {
        marked.insert(KeyNumber(key, kPrefix.size()));
        return true;
      });
  if (!scanned) return Failure(scanned.error());
  return marked;
}

bool IsBeneath(View const& view, Inode const& inode, std::set<InodeId> const& marked) {
  if (marked.contains(inode.id)) return true;
  for (auto parent = inode.parent; parent != 0;) {
    if (marked.contains(parent)) return true;
    auto const directory = GetInode(view, parent);
    if (!directory || parent == kRootInode) return false;
    parent = directory->parent;
  }
  return false;
}

}  // namespace tusfs
