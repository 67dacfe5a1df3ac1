// Filesystem: names.
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>

#include "catalog/life.h"
#include "catalog/namespace.h"
#include "catalog/tables.h"
#include "filesystem/attributes.h"
#include "filesystem/directory.h"
#include "filesystem/filesystem.h"
#include "uploader/target.h"

namespace tusfs {
namespace {

constexpr std::uint32_t kMostLinks = 65'000;
constexpr std::uint64_t kDotCookie = 1;
constexpr std::uint64_t kDotDotCookie = 2;

// A directory has two links of its own and one of each directory in it.
void MoveDirectoryLink(Inode const& child, Inode& from, Inode& to) {
  if (!IsDirectory(child) || from.id == to.id) return;
  --from.links;
  ++to.links;
}

constexpr FileTime kSecond = 1'000'000'000;

// rsync --partial that was interrupted gives what it has the final name and a modification time of
// 0. That time alone means nothing.
bool IsPartOfRsync(Inode const& inode, std::string_view from, std::string_view to) {
  return inode.type == FileType::kRegular && IsRsyncTemporary(from) && FinalNameOf(from) == to &&
         inode.modified >= 0 && inode.modified < kSecond;
}

}  // namespace

Result<Attributes> Filesystem::Lookup(InodeId parent, std::string_view name) {
  if (auto checked = CheckName(name); !checked) return Failure(checked.error());
  return store_.Read([&](View const& view) -> Result<Attributes> {
    auto entry = FindEntry(view, parent, name);
    if (!entry) return Failure(entry.error());
    if (!*entry) return Fail(ENOENT);
    return Stat(view, spool_, (*entry)->inode);
  });
}

Result<Attributes> Filesystem::MakeDirectory(Caller const& caller, InodeId parent,
                                             std::string_view name, std::uint32_t mode) {
  auto const decide = [&](Transaction& transaction) -> Result<Attributes> {
    auto inode =
        AddInode(transaction, caller, parent, name, {FileType::kDirectory, mode, clock_.Wall()});
    if (!inode) return Failure(inode.error());
    replies_.Remember(transaction, caller, inode->id);
    return Show(spool_, *inode);
  };
  return replies_.DecideOnce(caller, decide,
                             [&](Reply const& reply) { return GetAttributes(reply.inode); });
}

Result<Attributes> Filesystem::MakeSymlink(Caller const& caller, InodeId parent,
                                           std::string_view name, std::string_view target) {
  auto const decide = [&](Transaction& transaction) -> Result<Attributes> {
    auto inode = AddInode(transaction, caller, parent, name,
                          {FileType::kSymlink, 0777, clock_.Wall(), [&](Inode& fresh) {
                             fresh.target = target;
                             fresh.size = target.size();
                           }});
    if (!inode) return Failure(inode.error());
    replies_.Remember(transaction, caller, inode->id);
    return Show(spool_, *inode);
  };
  return replies_.DecideOnce(caller, decide,
                             [&](Reply const& reply) { return GetAttributes(reply.inode); });
}

Result<Attributes> Filesystem::MakeNode(Caller const& caller, InodeId parent, std::string_view name,
                                        FileType type, std::uint32_t mode, std::uint64_t device) {
  return replies_.Once(
      caller, [&] { return MakeNewNode(caller, parent, name, type, mode, device); },
      [&](Reply const& reply) { return GetAttributes(reply.inode); });
}

Result<Attributes> Filesystem::MakeNewNode(Caller const& caller, InodeId parent,
                                           std::string_view name, FileType type, std::uint32_t mode,
                                           std::uint64_t device) {
  std::shared_ptr<Version> version;
  if (type == FileType::kRegular) {
    auto fresh = bodies_.Make();
    if (!fresh) return Failure(fresh.error());
    version = std::move(*fresh);
  }
  auto made = store_.Update([&](Transaction& transaction) -> Result<Attributes> {
    auto inode = AddInode(transaction, caller, parent, name,
                          {type, mode, clock_.Wall(), [&](Inode& fresh) {
                             fresh.device = device;
                             if (!version) return;
                             fresh.version = version->id();
                             life::BeginVersion(
                                 fresh, false);  // as empty as it will be, unless somebody opens it
                           }});
    if (!inode) return Failure(inode.error());
    replies_.Remember(transaction, caller, inode->id);
    return Show(spool_, *inode);
  });
  if (!version) return made;
  if (made) {
    uploader_.Settle(made->inode);
  } else {
    bodies_.Discard(*version);
  }
  return made;
}

Result<std::string> Filesystem::ReadSymlink(InodeId id) {
  access_times_.Note(id);
  return store_.Read([&](View const& view) -> Result<std::string> {
    auto inode = GetInode(view, id);
    if (!inode) return Failure(inode.error());
    if (inode->type != FileType::kSymlink) return Fail(EINVAL);
    return inode->target;
  });
}

Result<Attributes> Filesystem::Link(Caller const& caller, InodeId id, InodeId parent,
                                    std::string_view name) {
  if (auto checked = CheckName(name); !checked) return Failure(checked.error());
  auto const decide = [&](Transaction& transaction) -> Result<Attributes> {
    auto inode = GetInode(transaction, id);
    if (!inode) return Failure(inode.error());
    if (IsDirectory(*inode)) return Fail(EPERM);
    if (inode->links == 0) return Fail(ENOENT);
    if (inode->links >= kMostLinks) return Fail(EMLINK);
    auto directory = GetDirectory(transaction, parent);
    if (!directory) return Failure(directory.error());
    auto const existing = FindEntry(transaction, parent, name);
    if (!existing) return Failure(existing.error());
    if (*existing) return Fail(EEXIST);
    AddEntry(transaction, *directory, name, *inode);
    ++inode->links;
    inode->changed = directory->modified = directory->changed = clock_.Wall();
    PutInode(transaction, *directory);
    PutInode(transaction, *inode);
    replies_.Remember(transaction, caller, id);
    return Show(spool_, *inode);
  };
  return replies_.DecideOnce(caller, decide,
                             [&](Reply const& reply) { return GetAttributes(reply.inode); });
}

// ---- removing

Result<void> Filesystem::Unlink(Caller const& caller, InodeId parent, std::string_view name) {
  auto const decide = [&](Transaction& transaction) -> Result<Removal::Aftermath> {
    auto directory = GetDirectory(transaction, parent);
    if (!directory) return Failure(directory.error());
    auto const entry = FindEntry(transaction, parent, name);
    if (!entry) return Failure(entry.error());
    if (!*entry) return Fail(ENOENT);
    auto inode = GetInode(transaction, (*entry)->inode);
    if (!inode) return Failure(inode.error());
    if (IsDirectory(*inode)) return Fail(EISDIR);
    auto removed = removal_.RemoveName(transaction, *directory, name, **entry, *inode);
    if (removed) PutInode(transaction, *directory);
    replies_.Remember(transaction, caller);
    return removed;
  };
  auto const aftermath =
      replies_.DecideOnce(caller, decide, [](Reply const&) { return Removal::Aftermath{}; });
  if (!aftermath) return Failure(aftermath.error());
  removal_.Tell(*aftermath);
  return {};
}

Result<void> Filesystem::RemoveDirectory(Caller const& caller, InodeId parent,
                                         std::string_view name) {
  auto const decide = [&](Transaction& transaction) -> Result<void> {
    auto directory = GetDirectory(transaction, parent);
    if (!directory) return Failure(directory.error());
    auto const entry = FindEntry(transaction, parent, name);
    if (!entry) return Failure(entry.error());
    if (!*entry) return Fail(ENOENT);
    auto inode = GetInode(transaction, (*entry)->inode);
    if (!inode) return Failure(inode.error());
    if (!IsDirectory(*inode)) return Fail(ENOTDIR);
    auto const empty = IsEmptyDirectory(transaction, inode->id);
    if (!empty) return Failure(empty.error());
    if (!*empty) return Fail(ENOTEMPTY);
    auto removed = removal_.RemoveName(transaction, *directory, name, **entry, *inode);
    if (!removed) return Failure(removed.error());
    PutInode(transaction, *directory);
    replies_.Remember(transaction, caller);
    return {};
  };
  return replies_.DecideOnce(caller, decide, [](Reply const&) { return Result<void>(); });
}

// ---- renaming

Result<void> Filesystem::Rename(Caller const& caller, InodeId from_parent, std::string_view from,
                                InodeId to_parent, std::string_view to, unsigned flags) {
  if (auto checked = CheckName(to); !checked) return checked;
  constexpr auto kKnown = static_cast<unsigned>(RENAME_NOREPLACE | RENAME_EXCHANGE);
  if ((flags & ~kKnown) != 0 || flags == kKnown) return Fail(EINVAL);
  bool const exchange = (flags & RENAME_EXCHANGE) != 0;
  Removal::Aftermath replaced;
  std::vector<InodeId> moved;
  auto const decide = [&](Transaction& transaction) -> Result<void> {
    auto source_directory = GetDirectory(transaction, from_parent);
    if (!source_directory) return Failure(source_directory.error());
    auto const source_entry = FindEntry(transaction, from_parent, from);
    if (!source_entry) return Failure(source_entry.error());
    if (!*source_entry) return Fail(ENOENT);
    auto source = GetInode(transaction, (*source_entry)->inode);
    if (!source) return Failure(source.error());

    Inode other_directory;
    if (to_parent != from_parent) {
      auto found = GetDirectory(transaction, to_parent);
      if (!found) return Failure(found.error());
      other_directory = std::move(*found);
    }
    auto& target_directory = to_parent == from_parent ? *source_directory : other_directory;
    auto const target_entry = FindEntry(transaction, to_parent, to);
    if (!target_entry) return Failure(target_entry.error());
    if (*target_entry && (flags & RENAME_NOREPLACE) != 0) return Fail(EEXIST);
    if (!*target_entry && exchange) return Fail(ENOENT);

    std::optional<Inode> target;
    if (*target_entry) {
      if ((*target_entry)->inode == source->id) return {};  // two names of one file: nothing to do
      auto found = GetInode(transaction, (*target_entry)->inode);
      if (!found) return Failure(found.error());
      target = std::move(*found);
    }
    if (target && !exchange) {
      if (IsDirectory(*target) && !IsDirectory(*source)) return Fail(EISDIR);
      if (!IsDirectory(*target) && IsDirectory(*source)) return Fail(ENOTDIR);
      auto const empty = IsEmptyDirectory(transaction, target->id);
      if (!empty) return Failure(empty.error());
      if (!*empty) return Fail(ENOTEMPTY);
      auto removed =
          removal_.RemoveName(transaction, target_directory, to, **target_entry, *target);
      if (!removed) return Failure(removed.error());
      replaced = *removed;
    }
    TakeEntry(transaction, from_parent, from, **source_entry, *source);
    if (exchange) {
      TakeEntry(transaction, to_parent, to, **target_entry, *target);
      AddEntry(transaction, *source_directory, from, *target);
      removal_.NoteRename(*target);
      MoveDirectoryLink(*target, target_directory, *source_directory);
    }
    AddEntry(transaction, target_directory, to, *source);
    removal_.NoteRename(*source);
    if (IsPartOfRsync(*source, from, to))
      life::StopPart(*source, "rsync was interrupted (--partial)");
    MoveDirectoryLink(*source, *source_directory, target_directory);

    auto const now = clock_.Wall();
    source->changed = now;
    source_directory->modified = source_directory->changed = now;
    target_directory.modified = target_directory.changed = now;
    PutInode(transaction, *source_directory);
    if (to_parent != from_parent) PutInode(transaction, target_directory);
    PutInode(transaction, *source);
    moved.push_back(source->id);
    if (exchange) {
      target->changed = now;
      PutInode(transaction, *target);
      moved.push_back(target->id);
    }
    replies_.Remember(transaction, caller);
    return {};
  };
  auto const renamed =
      replies_.DecideOnce(caller, decide, [](Reply const&) { return Result<void>(); });
  if (!renamed) return renamed;
  removal_.Tell(replaced);
  for (auto const inode : moved) removal_.TellRenamed(inode);
  return {};
}

// ---- listing

Result<void> Filesystem::ReadDirectory(
    InodeId directory, std::uint64_t cookie,
    std::function<bool(std::string const&, Attributes const&, std::uint64_t)> const& visit,
    Listing listing) {
  if (cookie == 0) access_times_.Note(directory);
  return store_.Read([&](View const& view) -> Result<void> {
    auto self = GetInode(view, directory);
    if (!self) return Failure(self.error());
    if (!IsDirectory(*self)) return Fail(ENOTDIR);
    if (cookie < kDotCookie && !visit(".", Show(spool_, *self), kDotCookie)) return {};
    if (cookie < kDotDotCookie) {
      auto parent = GetInode(view, self->parent == 0 ? directory : self->parent);
      if (!visit("..", Show(spool_, parent.value_or(*self)), kDotDotCookie)) return {};
    }
    auto const look = [&](Entry const& entry) -> Result<Attributes> {
      if (listing == Listing::kWithAttributes) return Stat(view, spool_, entry.inode);
      Attributes attributes;
      attributes.inode = entry.inode;
      attributes.type = entry.type;
      return attributes;
    };
    std::optional<Error> failure;
    auto visited =
        VisitEntries(view, directory, std::max(cookie, kDotDotCookie),
                     [&](std::string_view name, Entry const& entry) {
                       auto attributes = look(entry);
                       if (!attributes) failure = attributes.error();
                       return attributes && visit(std::string(name), *attributes, entry.sequence);
                     });
    if (failure) return Failure(*failure);
    return visited;
  });
}

Result<void> Filesystem::SyncDirectory() { return store_.Sync(); }

}  // namespace tusfs
