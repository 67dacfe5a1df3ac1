// Filesystem: attributes.
#include <cerrno>

#include "catalog/tables.h"
#include "filesystem/filesystem.h"

namespace tusfs {

Filesystem::Filesystem(Store& store, Spool& spool, Uploader& uploader,
                       ProcessTable const& processes, Clock const& clock, std::uint64_t connection,
                       Logger logger, Turns::Options const& turns, RemoteBytes* remote)
    : store_(store),
      spool_(spool),
      uploader_(uploader),
      processes_(processes),
      clock_(clock),
      logger_(std::move(logger)),
      remote_(remote),
      reporter_(store, spool, uploader),
      replies_(store, connection),
      turns_(spool.budget(), clock, turns) {}

Attributes Filesystem::Show(Inode inode) const {
  if (inode.version != 0) CatchUp(inode, spool_.FindOpen(inode.version).get());
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

Result<Attributes> Filesystem::Stat(View const& view, InodeId id) const {
  auto const inode = GetInode(view, id);
  if (!inode) return Failure(inode.error());
  return Show(*inode);
}

Result<Attributes> Filesystem::GetAttributes(InodeId id) {
  return store_.Read([&](View const& view) { return Stat(view, id); });
}

// As with the mount option relatime: an access counts where none has since the last change, or
// none for a day.
void Filesystem::NoteAccess(InodeId id) {
  constexpr FileTime kDay = FileTime{24} * 3600 * 1'000'000'000;
  auto const now = clock_.Wall();
  auto const counts = [now](Inode const& inode) {
    return inode.accessed <= inode.modified || inode.accessed <= inode.changed ||
           inode.accessed + kDay <= now;
  };
  auto const known = store_.Read([&](View const& view) { return GetInode(view, id); });
  if (!known || !counts(*known)) return;
  auto const noted = store_.Update([&](Transaction& transaction) -> Result<void> {
    auto inode = GetInode(transaction, id);
    if (!inode) return Failure(inode.error());
    inode->accessed = now;
    PutInode(transaction, *inode);
    transaction.NoHurry();
    return {};
  });
  // Nobody's read fails for it.
  if (!noted) logger_->Debug("access not noted inode={} error=\"{}\"", id, Describe(noted.error()));
}

void Filesystem::CatchUp(Inode& inode, Version const* version) {
  if (version == nullptr || version->id() != inode.version) return;
  inode.size = version->size();
  if (auto const modified = version->modified()) inode.modified = inode.changed = *modified;
}

Result<Attributes> Filesystem::SetAttributes(Caller const& caller, InodeId id,
                                             AttributeChange const& change, HandleId handle) {
  return replies_.Once(
      caller, [&] { return ChangeAttributes(caller, id, change, handle); },
      [&](Reply const& reply) { return GetAttributes(reply.inode); });
}

Result<Attributes> Filesystem::ChangeAttributes(Caller const& caller, InodeId id,
                                                AttributeChange const& change, HandleId handle) {
  auto const pin = open_.Activate(id);
  auto& file = *pin.file();
  MutexLock lock(file.mutex);
  if (change.size) {
    auto truncated = Truncate(file, caller, *change.size, handle);
    if (!truncated) return Failure(truncated.error());
  }
  auto const version = file.version;
  file.is_unprivileged = false;
  auto inode = store_.Update([&](Transaction& transaction) -> Result<Inode> {
    auto record = GetInode(transaction, id);
    if (!record) return record;
    CatchUp(*record, version.get());
    if (caller.drops_privileges || change.uid || change.gid) {
      DropPrivileges(transaction, *record);
    }
    if (change.mode) record->mode = *change.mode & 07777;
    if (change.uid) record->uid = *change.uid;
    if (change.gid) record->gid = *change.gid;
    if (change.accessed) record->accessed = *change.accessed;
    if (change.modified) record->modified = *change.modified;
    record->changed = clock_.Wall();
    PutInode(transaction, *record);
    replies_.Remember(transaction, caller, id);
    return record;
  });
  if (!inode) return Failure(inode.error());
  if (version) version->SetModified(std::nullopt);
  if (inode->type == FileType::kRegular) uploader_.Settle(id);
  return Show(*inode);
}

}  // namespace tusfs
