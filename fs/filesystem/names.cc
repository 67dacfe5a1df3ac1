#include "filesystem/names.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include "catalog/life.h"
#include "catalog/namespace.h"
#include "catalog/tables.h"
#include "filesystem/attributes.h"
#include "filesystem/rename.h"

namespace tusfs {
namespace {

constexpr std::uint32_t kMostLinks = 65'000;
constexpr std::uint64_t kDotCookie = 1;
constexpr std::uint64_t kDotDotCookie = 2;

}  // namespace

Names::Names(Store& store, Spool const& spool, Finishing& finishing, Replies const& replies,
             Bodies& bodies, Removal& removal, AccessTimes const& access_times, Clock const& clock)
    : store_(store),
      spool_(spool),
      finishing_(finishing),
      replies_(replies),
      bodies_(bodies),
      removal_(removal),
      access_times_(access_times),
      clock_(clock) {}

Result<Attributes> Names::AttributesOf(Reply const& reply) const {
  return store_.Read([&](View const& view) { return Stat(view, spool_, reply.inode); });
}

Result<Attributes> Names::Lookup(InodeId parent, std::string_view name) const {
  if (auto checked = CheckName(name); !checked) return Failure(checked.error());
  return store_.Read([&](View const& view) -> Result<Attributes> {
    auto entry = FindEntry(view, parent, name);
    if (!entry) return Failure(entry.error());
    if (!*entry) return Fail(ENOENT);
    return Stat(view, spool_, (*entry)->inode);
  });
}

// ---- making

Result<Attributes> Names::MakeDirectory(Caller const& caller, InodeId parent, std::string_view name,
                                        std::uint32_t mode) {
  return replies_.Once(
      caller,
      [&] {
        return MakeNewNode(caller, parent, name, {.type = FileType::kDirectory, .mode = mode});
      },
      [&](Reply const& reply) { return AttributesOf(reply); });
}

Result<Attributes> Names::MakeSymlink(Caller const& caller, InodeId parent, std::string_view name,
                                      std::string_view target) {
  auto const fill = [&](Inode& fresh) {
    fresh.target = target;
    fresh.size = target.size();
  };
  return replies_.Once(
      caller,
      [&] {
        return MakeNewNode(caller, parent, name,
                           {.type = FileType::kSymlink, .mode = 0777, .fill = fill});
      },
      [&](Reply const& reply) { return AttributesOf(reply); });
}

Result<Attributes> Names::MakeNode(Caller const& caller, InodeId parent, std::string_view name,
                                   FileType type, std::uint32_t mode, std::uint64_t device) {
  auto const make = [&]() -> Result<Attributes> {
    std::shared_ptr<Version> version;
    if (type == FileType::kRegular) {
      auto fresh = bodies_.Make();
      if (!fresh) return Failure(fresh.error());
      version = std::move(*fresh);
    }
    auto const fill = [&](Inode& fresh) {
      fresh.device = device;
      if (!version) return;
      fresh.version = version->id();
      life::BeginVersion(fresh, false);  // as empty as it will be, unless somebody opens it
    };
    auto made = MakeNewNode(caller, parent, name, {.type = type, .mode = mode, .fill = fill});
    if (version && made) finishing_.Settle(made->inode);
    if (version && !made) bodies_.Discard(*version);
    return made;
  };
  return replies_.Once(caller, make, [&](Reply const& reply) { return AttributesOf(reply); });
}

Result<Attributes> Names::MakeNewNode(Caller const& caller, InodeId parent, std::string_view name,
                                      NewInode wanted) {
  return store_.Update([&](Transaction& transaction) -> Result<Attributes> {
    wanted.now = clock_.Wall();
    auto const inode = AddInode(transaction, caller, parent, name, wanted);
    if (!inode) return Failure(inode.error());
    replies_.Remember(transaction, caller, inode->id);
    return Show(spool_, *inode);
  });
}

Result<Attributes> Names::Link(Caller const& caller, InodeId id, InodeId parent,
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
                             [&](Reply const& reply) { return AttributesOf(reply); });
}

Result<std::string> Names::ReadSymlink(InodeId id) const {
  access_times_.Note(id);
  return store_.Read([&](View const& view) -> Result<std::string> {
    auto inode = GetInode(view, id);
    if (!inode) return Failure(inode.error());
    if (inode->type != FileType::kSymlink) return Fail(EINVAL);
    return inode->target;
  });
}

// ---- taking away

Result<void> Names::Unlink(Caller const& caller, InodeId parent, std::string_view name) {
  auto const decide = [&](Transaction& transaction) -> Result<Removal::Aftermath> {
    auto found = FindName(transaction, parent, name);
    if (!found) return Failure(found.error());
    auto& [directory, entry, inode] = *found;
    if (IsDirectory(inode)) return Fail(EISDIR);
    auto removed = removal_.RemoveName(transaction, directory, name, entry, inode);
    if (!removed) return removed;
    PutInode(transaction, directory);
    replies_.Remember(transaction, caller);
    return removed;
  };
  auto const aftermath = replies_.DecideOnce(
      caller, decide, [](Reply const&) { return Result<Removal::Aftermath>(); });
  if (!aftermath) return Failure(aftermath.error());
  removal_.Tell(*aftermath);
  return {};
}

Result<void> Names::RemoveDirectory(Caller const& caller, InodeId parent, std::string_view name) {
  auto const decide = [&](Transaction& transaction) -> Result<void> {
    auto found = FindName(transaction, parent, name);
    if (!found) return Failure(found.error());
    auto& [directory, entry, inode] = *found;
    if (!IsDirectory(inode)) return Fail(ENOTDIR);
    auto const empty = IsEmptyDirectory(transaction, inode.id);
    if (!empty) return Failure(empty.error());
    if (!*empty) return Fail(ENOTEMPTY);
    auto const removed = removal_.RemoveName(transaction, directory, name, entry, inode);
    if (!removed) return Failure(removed.error());
    PutInode(transaction, directory);
    replies_.Remember(transaction, caller);
    return {};
  };
  return replies_.DecideOnce(caller, decide, Done);
}

Result<void> Names::Rename(Caller const& caller, InodeId from_parent, std::string_view from,
                           InodeId to_parent, std::string_view to, unsigned flags) {
  if (auto checked = CheckName(to); !checked) return checked;
  constexpr auto kKnown = static_cast<unsigned>(RENAME_NOREPLACE | RENAME_EXCHANGE);
  if ((flags & ~kKnown) != 0 || flags == kKnown) return Fail(EINVAL);
  auto const decide = [&](Transaction& transaction) -> Result<Renamed> {
    auto renamed = RenameEntry(transaction, removal_, {from_parent, from}, {to_parent, to}, flags,
                               clock_.Wall());
    if (renamed) replies_.Remember(transaction, caller);
    return renamed;
  };
  auto const renamed =
      replies_.DecideOnce(caller, decide, [](Reply const&) { return Result<Renamed>(); });
  if (!renamed) return Failure(renamed.error());
  removal_.Tell(renamed->replaced);
  for (auto const inode : renamed->moved) removal_.TellRenamed(inode);
  return {};
}

// ---- listing

Result<void> Names::ReadDirectory(InodeId directory, std::uint64_t cookie, Visit const& visit,
                                  Listing listing) const {
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
      return Attributes{.inode = entry.inode, .type = entry.type};
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

}  // namespace tusfs
