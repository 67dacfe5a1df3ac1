#include "catalog/namespace.h"

#include <cerrno>

#include "catalog/codec.h"
#include "catalog/tables.h"

namespace tusfs {
namespace {

constexpr int kDeepest = 4096;  // PATH_MAX allows half as many; a loop must end

std::string LinkKey(InodeId inode, InodeId parent, std::string_view name) {
  return Key(inode, parent) + std::string(name);
}

}  // namespace

Result<std::optional<Entry>> FindEntry(View const& view, InodeId parent, std::string_view name) {
  auto row = view.Get(Table::kNames, Key(parent, name));
  if (!row) return Failure(row.error());
  if (!*row) return std::optional<Entry>();
  auto entry = DecodeEntry(**row);
  if (!entry) return Failure(entry.error());
  return std::optional<Entry>(*entry);
}

void AddEntry(Transaction& transaction, Inode& parent, std::string_view name, Inode& inode) {
  Entry const entry{inode.id, inode.type, parent.next_entry++};
  transaction.Put(Table::kNames, Key(parent.id, name), Encode(entry));
  transaction.Put(Table::kEntries, Key(parent.id, entry.sequence),
                  Encoder()
                      .Text(name)
                      .Number(entry.inode)
                      .Number(static_cast<std::uint8_t>(entry.type))
                      .Take());
  if (inode.parent == 0) {
    inode.parent = parent.id;
    inode.name = name;
  } else {
    transaction.Put(Table::kLinks, LinkKey(inode.id, parent.id, name), {});
  }
}

void TakeEntry(Transaction& transaction, InodeId parent, std::string_view name, Entry const& entry,
               Inode& inode) {
  transaction.Delete(Table::kNames, Key(parent, name));
  transaction.Delete(Table::kEntries, Key(parent, entry.sequence));
  if (inode.parent != parent || inode.name != name) {
    transaction.Delete(Table::kLinks, LinkKey(inode.id, parent, name));
    return;
  }
  inode.parent = 0;
  inode.name.clear();
}

Result<void> RemoveEntry(Transaction& transaction, InodeId parent, std::string_view name,
                         Entry const& entry, Inode& inode) {
  TakeEntry(transaction, parent, name, entry, inode);
  if (inode.parent != 0 || inode.type == FileType::kDirectory) return {};
  std::string promoted;
  auto scanned = transaction.Scan(Table::kLinks, Key(inode.id), "",
                                  [&](std::string_view key, std::string_view) {
                                    promoted = key;
                                    return false;
                                  });
  if (!scanned) return scanned;
  if (!promoted.empty()) {
    inode.parent = KeyNumber(promoted, sizeof(InodeId));
    inode.name = promoted.substr(2 * sizeof(InodeId));
    transaction.Delete(Table::kLinks, promoted);
  }
  return {};
}

Result<bool> IsEmptyDirectory(View const& view, InodeId directory) {
  bool empty = true;
  auto scanned = view.Scan(Table::kEntries, Key(directory), "",
                           [&](std::string_view, std::string_view) { return empty = false; });
  if (!scanned) return Failure(scanned.error());
  return empty;
}

Result<void> VisitEntries(View const& view, InodeId directory, std::uint64_t after,
                          std::function<bool(std::string_view, Entry const&)> const& visit) {
  return view.Scan(Table::kEntries, Key(directory), Key(directory, after + 1),
                   [&](std::string_view key, std::string_view value) {
                     Decoder decoder(value);
                     auto const name = decoder.Text();
                     Entry entry;
                     entry.inode = decoder.Number<InodeId>();
                     entry.type = static_cast<FileType>(decoder.Number<std::uint8_t>());
                     entry.sequence = KeyNumber(key, sizeof(InodeId));
                     return visit(name, entry);
                   });
}

Result<std::string> PathOf(View const& view, Inode const& inode) {
  std::string path = inode.name;
  InodeId parent = inode.parent;
  if (inode.id == kRootInode) return std::string();
  for (int depth = 0; parent != kRootInode; ++depth) {
    if (parent == 0 || depth > kDeepest) return Fail(ENOENT);
    auto directory = GetInode(view, parent);
    if (!directory) return Failure(directory.error());
    path = directory->name + "/" + path;
    parent = directory->parent;
  }
  return path;
}

std::string PathForLog(Store const& store, InodeId id) {
  auto const path = store.Read([&](View const& view) -> Result<std::string> {
    auto const inode = GetInode(view, id);
    return inode ? PathOf(view, *inode) : Result<std::string>(Failure(inode.error()));
  });
  return path.value_or("inode " + std::to_string(id));
}

Result<std::vector<Name>> NamesOf(View const& view, Inode const& inode) {
  std::vector<Name> names;
  if (inode.parent != 0) names.push_back({inode.parent, inode.name});
  auto scanned =
      view.Scan(Table::kLinks, Key(inode.id), "", [&](std::string_view key, std::string_view) {
        names.push_back({.directory = KeyNumber(key, sizeof(InodeId)),
                         .name = std::string(key.substr(2 * sizeof(InodeId)))});
        return true;
      });
  if (!scanned) return Failure(scanned.error());
  return names;
}

Result<std::vector<std::string>> PathsOf(View const& view, Inode const& inode) {
  auto const names = NamesOf(view, inode);
  if (!names) return Failure(names.error());
  if (names->empty()) return Fail(ENOENT);
  std::vector<std::string> paths;
  for (auto const& [directory, name] : *names) {
    Inode named = inode;
    named.parent = directory;
    named.name = name;
    auto path = PathOf(view, named);
    if (!path) return Failure(path.error());
    paths.push_back(std::move(*path));
  }
  return paths;
}

Result<Inode> ResolvePath(View const& view, std::string_view path) {
  InodeId at = kRootInode;
  while (!path.empty()) {
    auto const slash = path.find('/');
    auto const name = path.substr(0, slash);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    if (name.empty() || name == ".") continue;
    auto const directory = GetInode(view, at);
    if (!directory) return directory;
    if (directory->type != FileType::kDirectory) return Fail(ENOTDIR);
    if (name.size() > kLongestName) return Fail(ENAMETOOLONG);
    auto entry = FindEntry(view, at, name);
    if (!entry) return Failure(entry.error());
    if (!*entry) return Fail(ENOENT);
    at = (*entry)->inode;
  }
  return GetInode(view, at);
}

}  // namespace tusfs
