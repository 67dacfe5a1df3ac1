#include "filesystem/rename.h"

#include <cerrno>
#include <cstdio>
#include <optional>

#include "catalog/life.h"
#include "catalog/namespace.h"
#include "catalog/tables.h"
#include "filesystem/directory.h"
#include "uploader/target.h"

namespace tusfs {
namespace {

constexpr FileTime kSecond = 1'000'000'000;

// Both ends, as the transaction finds them.
struct Ends {
  Place from;
  Place to;
  bool exchange = false;
  FoundName source{};
  std::optional<Inode> other_directory{};  ///< of the target; nothing: it is the source's too
  std::optional<Entry> target_entry{};
  std::optional<Inode> target{};  ///< nothing: there is none, or it is the source itself

  [[nodiscard]] Inode& from_directory() { return source.directory; }
  [[nodiscard]] Inode& to_directory() {
    return other_directory ? *other_directory : source.directory;
  }
  [[nodiscard]] bool IsOneFile() const {
    return target_entry && target_entry->inode == source.inode.id;
  }
};

// rsync --partial that was interrupted gives what it has the final name and a modification time of
// 0. That time alone means nothing.
bool IsPartOfRsync(Inode const& inode, std::string_view from, std::string_view to) {
  return inode.type == FileType::kRegular && IsRsyncTemporary(from) && FinalNameOf(from) == to &&
         inode.modified >= 0 && inode.modified < kSecond;
}

Result<void> LookUpTarget(View const& view, unsigned flags, Ends& ends) {
  auto const& to = ends.to;
  if (to.directory != ends.from.directory) {
    auto directory = GetDirectory(view, to.directory);
    if (!directory) return Failure(directory.error());
    ends.other_directory = *std::move(directory);
  }
  auto const entry = FindEntry(view, to.directory, to.name);
  if (!entry) return Failure(entry.error());
  if (*entry && (flags & RENAME_NOREPLACE) != 0) return Fail(EEXIST);
  if (!*entry && ends.exchange) return Fail(ENOENT);
  ends.target_entry = *entry;
  if (!*entry || ends.IsOneFile()) return {};
  auto target = GetInode(view, (*entry)->inode);
  if (!target) return Failure(target.error());
  ends.target = *std::move(target);
  return {};
}

Result<void> CheckReplaceable(View const& view, Inode const& target, Inode const& source) {
  if (IsDirectory(target) && !IsDirectory(source)) return Fail(EISDIR);
  if (!IsDirectory(target) && IsDirectory(source)) return Fail(ENOTDIR);
  auto const empty = IsEmptyDirectory(view, target.id);
  if (!empty) return Failure(empty.error());
  if (!*empty) return Fail(ENOTEMPTY);
  return {};
}

// A directory has two links of its own and one of each directory in it.
void MoveDirectoryLink(Inode const& child, Inode& from, Inode& to) {
  if (!IsDirectory(child) || from.id == to.id) return;
  --from.links;
  ++to.links;
}

void MoveEntries(Transaction& transaction, Removal& removal, Ends& ends) {
  auto& [directory, entry, source] = ends.source;
  TakeEntry(transaction, ends.from.directory, ends.from.name, entry, source);
  if (ends.exchange) {
    auto& target = *ends.target;
    TakeEntry(transaction, ends.to.directory, ends.to.name, *ends.target_entry, target);
    AddEntry(transaction, ends.from_directory(), ends.from.name, target);
    removal.NoteRename(target);
    MoveDirectoryLink(target, ends.to_directory(), ends.from_directory());
  }
  AddEntry(transaction, ends.to_directory(), ends.to.name, source);
  removal.NoteRename(source);
  MoveDirectoryLink(source, ends.from_directory(), ends.to_directory());
}

// Returns the inodes that have moved.
std::vector<InodeId> PutAll(Transaction& transaction, Ends& ends, FileTime now) {
  auto& source = ends.source.inode;
  std::vector<InodeId> moved{source.id};
  source.changed = now;
  PutInode(transaction, source);
  if (ends.exchange) {
    ends.target->changed = now;
    PutInode(transaction, *ends.target);
    moved.push_back(ends.target->id);
  }
  ends.from_directory().modified = ends.from_directory().changed = now;
  ends.to_directory().modified = ends.to_directory().changed = now;
  PutInode(transaction, ends.from_directory());
  if (ends.other_directory) PutInode(transaction, *ends.other_directory);
  return moved;
}

}  // namespace

Result<Renamed> RenameEntry(Transaction& transaction, Removal& removal, Place const& from,
                            Place const& to, unsigned flags, FileTime now) {
  auto source = FindName(transaction, from.directory, from.name);
  if (!source) return Failure(source.error());
  Ends ends{.from = from,
            .to = to,
            .exchange = (flags & RENAME_EXCHANGE) != 0,
            .source = *std::move(source)};
  if (auto found = LookUpTarget(transaction, flags, ends); !found) return Failure(found.error());
  if (ends.IsOneFile()) return Renamed{};

  Renamed renamed;
  if (ends.target && !ends.exchange) {
    auto const may_go = CheckReplaceable(transaction, *ends.target, ends.source.inode);
    if (!may_go) return Failure(may_go.error());
    auto const removed = removal.RemoveName(transaction, ends.to_directory(), to.name,
                                            *ends.target_entry, *ends.target);
    if (!removed) return Failure(removed.error());
    renamed.replaced = *removed;
  }
  MoveEntries(transaction, removal, ends);
  if (IsPartOfRsync(ends.source.inode, from.name, to.name)) {
    life::TurnOutPart(ends.source.inode, "rsync was interrupted (--partial)");
  }
  renamed.moved = PutAll(transaction, ends, now);
  return renamed;
}

}  // namespace tusfs
