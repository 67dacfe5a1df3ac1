#include "filesystem/filesystem.h"

#include "catalog/tables.h"
#include "filesystem/attributes.h"

namespace tusfs {

Filesystem::Filesystem(Store& store, Spool& spool, Uploader& uploader, Finishing& finishing,
                       WriterSight const& writers, Clock const& clock, std::uint64_t connection,
                       Logger logger, Turns::Options const& turns, RemoteBytes* remote)
    : store_(store),
      spool_(spool),
      finishing_(finishing),
      clock_(clock),
      logger_(std::move(logger)),
      reporter_(store, spool, uploader, finishing),
      replies_(store, connection),
      access_times_(store, clock, logger_),
      turns_(spool.budget(), clock, turns),
      removal_(spool, uploader, finishing, open_, clock, logger_),
      bodies_(store, spool, uploader, finishing, open_, turns_, removal_, remote, clock, logger_),
      shrinker_(store, spool, open_, turns_, removal_, finishing.rules(), logger_),
      names_(store, spool, finishing, replies_, bodies_, removal_, access_times_, clock),
      xattrs_(store, replies_, reporter_, open_, clock),
      changes_(store, writers.processes, logger_),
      data_(store, spool.budget(), uploader, open_, turns_, bodies_, changes_, access_times_,
            clock),
      handles_(store, spool, uploader, finishing, writers, replies_, open_, turns_, removal_,
               bodies_, clock) {}

Result<Attributes> Filesystem::GetAttributes(InodeId id) const {
  return store_.Read([&](View const& view) { return Stat(view, spool_, id); });
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
    auto truncated = data_.SetSize(file, caller, *change.size, handle);
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
  if (inode->type == FileType::kRegular) finishing_.Settle(id);
  return Show(spool_, *inode);
}

}  // namespace tusfs
