#include "filesystem/handles.h"

#include <fcntl.h>

#include <cerrno>

#include "catalog/kept.h"
#include "catalog/life.h"
#include "catalog/tables.h"
#include "filesystem/attributes.h"
#include "filesystem/directory.h"

namespace tusfs {
namespace {

// Bytes that are used now and then go later than those that are not; which of two uses within a
// minute was the later one does not matter.
bool IsWorthNoting(Inode const& inode, FileTime now) {
  constexpr FileTime kMinute = FileTime{60} * 1'000'000'000;
  return life::IsUploaded(inode) && inode.version != 0 && inode.kept_at != 0 &&
         now - inode.kept_at > kMinute;
}

}  // namespace

Handles::Handles(Store& store, Spool& spool, Uploader& uploader, Finishing& finishing,
                 WriterSight const& writers, Replies const& replies, OpenFiles& open, Turns& turns,
                 Removal& removal, Bodies& bodies, Clock const& clock)
    : store_(store),
      spool_(spool),
      uploader_(uploader),
      finishing_(finishing),
      writers_(writers),
      replies_(replies),
      open_(open),
      turns_(turns),
      removal_(removal),
      bodies_(bodies),
      clock_(clock),
      verdicts_(store, writers.processes, finishing.rules()) {}

std::shared_ptr<OpenHandle> Handles::MakeHandle(Caller const& caller, int flags) const {
  auto handle = std::make_shared<OpenHandle>();
  auto& record = handle->record;
  record.flags = static_cast<std::uint32_t>(flags);
  record.connection = replies_.connection();
  if (handle->MayWrite()) record.opener = writers_.processes.ProcessOf(caller.pid);
  return handle;
}

void Handles::AddOpener(OpenHandle& handle, Caller const& caller) const {
  auto& record = handle.record;
  record.writers.insert(handle.MayWrite() ? record.opener
                                          : writers_.processes.ProcessOf(caller.pid));
}

Result<HandleId> Handles::Add(Transaction& transaction, Caller const& caller,
                              std::shared_ptr<OpenHandle> const& handle) {
  auto& record = handle->record;
  auto const id = transaction.NewNumber(Counter::kHandle);
  if (!id) return id;
  record.id = *id;
  PutHandle(transaction, record);
  replies_.Remember(transaction, caller, record.inode, record.id);
  open_.Add(handle);
  return id;
}

// ---- creating

Result<Handles::Created> Handles::Create(Caller const& caller, InodeId parent,
                                         std::string_view name, std::uint32_t mode, int flags) {
  return replies_.Once(
      caller, [&] { return CreateFile(caller, parent, name, mode, flags); },
      [&](Reply const& reply) -> Result<Created> {
        auto const attributes =
            store_.Read([&](View const& view) { return Stat(view, spool_, reply.inode); });
        if (!attributes) return Failure(attributes.error());
        return Created{*attributes, reply.handle};
      });
}

Result<Handles::Created> Handles::CreateFile(Caller const& caller, InodeId parent,
                                             std::string_view name, std::uint32_t mode, int flags) {
  auto version = bodies_.Make();
  if (!version) return Failure(version.error());
  auto const handle = MakeHandle(caller, flags);
  AddOpener(*handle, caller);
  handle->record.changed = handle->record.dirty = handle->MayWrite();
  auto const fill = [&](Inode& fresh) {
    fresh.version = (*version)->id();
    life::BeginVersion(fresh, handle->MayWrite());
  };
  auto created = store_.Update([&](Transaction& transaction) -> Result<Created> {
    auto const inode =
        AddInode(transaction, caller, parent, name,
                 {.type = FileType::kRegular, .mode = mode, .now = clock_.Wall(), .fill = fill});
    if (!inode) return Failure(inode.error());
    handle->record.inode = inode->id;
    handle->file = std::make_shared<ActiveFile>(inode->id, *version);
    auto const id = Add(transaction, caller, handle);
    if (!id) return Failure(id.error());
    return Created{Show(spool_, *inode), *id};
  });
  if (!created) {
    open_.Remove(*handle);
    bodies_.Discard(**version);
  } else if (!handle->MayWrite()) {
    finishing_.Settle(created->attributes.inode);  // as empty as it will be
  }
  return created;
}

// ---- opening

Result<HandleId> Handles::Open(Caller const& caller, InodeId inode, int flags) {
  return replies_.Once(
      caller, [&] { return OpenFile(caller, inode, flags); },
      [](Reply const& reply) { return Result<HandleId>(reply.handle); });
}

Result<HandleId> Handles::OpenFile(Caller const& caller, InodeId id, int flags) {
  auto const pin = open_.Activate(id);
  auto& file = *pin.file();
  MutexLock lock(file.mutex);
  // Looked at behind Activate: of a file that is there nobody evicts the bytes.
  auto const inode = store_.Read([&](View const& view) { return GetInode(view, id); });
  // A name that went without the kernel: it looks the path up once more.
  if (!inode && inode.error().code == ENOENT) return Fail(ESTALE);
  if (!inode) return Failure(inode.error());
  if (inode->type == FileType::kDirectory) return Fail(EISDIR);
  auto const handle = MakeHandle(caller, flags);
  handle->record.inode = id;
  handle->file = pin.file();
  return (flags & O_TRUNC) != 0 ? OpenEmptied(file, caller, handle)
                                : OpenAsItIs(file, caller, handle, *inode);
}

Result<HandleId> Handles::OpenEmptied(ActiveFile& file, Caller const& caller,
                                      std::shared_ptr<OpenHandle> const& handle) {
  auto fresh = bodies_.Make();
  if (!fresh) return Failure(fresh.error());
  AddOpener(*handle, caller);
  handle->record.changed = handle->record.dirty = true;
  std::optional<Uuid> ownerless;
  auto const opened = store_.Update([&](Transaction& transaction) -> Result<HandleId> {
    auto inode = GetInode(transaction, file.inode);
    if (!inode) return Failure(inode.error());
    auto const id = Add(transaction, caller, handle);
    if (!id) return id;
    auto const replaced = bodies_.Replace(transaction, *inode, (*fresh)->id());
    if (!replaced) return Failure(replaced.error());
    ownerless = *replaced;
    if (caller.drops_privileges) DropPrivileges(transaction, *inode);
    PutInode(transaction, *inode);
    return id;
  });
  if (!opened) {
    open_.Remove(*handle);
    bodies_.Discard(**fresh);
    return opened;
  }
  file.version = *std::move(fresh);
  uploader_.Abandoned(file.inode, ownerless);
  if (!handle->MayWrite()) finishing_.Settle(file.inode);
  return opened;
}

Result<HandleId> Handles::OpenAsItIs(ActiveFile& file, Caller const& caller,
                                     std::shared_ptr<OpenHandle> const& handle, Inode inode) {
  if (auto prepared = Prepare(file, *handle, inode); !prepared) return Failure(prepared.error());
  auto const opened = store_.Update([&](Transaction& transaction) -> Result<HandleId> {
    auto current = GetInode(transaction, file.inode);
    if (!current) return Failure(current.error());
    auto const id = Add(transaction, caller, handle);
    if (!id) return id;
    // For a successor of this daemon; after a power cut there are no handles.
    if (!handle->MayWrite()) transaction.NoHurry();
    auto const now = clock_.Wall();
    if (handle->MayWrite() && life::OpenForWriting(*current)) {
      PutInode(transaction, *current);
    } else if (IsWorthNoting(*current, now)) {
      UseKept(transaction, *current, now);
      PutInode(transaction, *current);
    }
    return id;
  });
  if (!opened) open_.Remove(*handle);
  return opened;
}

// Its bytes are to be here, but for a stub that is only read.
Result<void> Handles::Prepare(ActiveFile& file, OpenHandle const& handle, Inode& inode) {
  bool const writes = handle.MayWrite();
  if (inode.version == 0 && !writes) return {};
  if (writes) file.vouched = ActiveFile::kNotKnown;  // it may have been finished
  if (auto restored = bodies_.Restore(file, inode); !restored) return restored;
  bool const was_left = life::IsSettling(inode) || life::IsFinished(inode);
  return writes && was_left ? file.version->DropTail() : Result<void>();
}

// ---- closing

Result<void> Handles::Flush(Caller const& caller, HandleId id) {
  auto const handle = open_.Find(id);
  if (!handle) return Fail(EBADF);
  return replies_.Once(
      caller, [&] { return Close(caller, *handle); }, Done);
}

Result<void> Handles::Close(Caller const& caller, OpenHandle& handle) {
  auto& file = *handle.file;
  std::optional<Verdicts::Closing> closing;
  {
    MutexLock lock(file.mutex);
    if (!file.version) return {};
    closing = verdicts_.JudgeClose(file, handle, caller);
    if (auto put = PutClosing(file, caller, handle, *closing); !put) return put;
  }
  Watch(caller, file, *closing);
  return {};
}

Result<void> Handles::PutClosing(ActiveFile& file, Caller const& caller, OpenHandle& handle,
                                 Verdicts::Closing const& closing) {
  auto const version = file.version;
  if (!closing.has_say && !version->modified()) return {};
  auto const& next = closing.record;
  auto const flushed = store_.Update([&](Transaction& transaction) -> Result<void> {
    auto inode = GetInode(transaction, file.inode);
    if (!inode) return Failure(inode.error());
    CatchUp(*inode, version.get());
    // What the local disk has failed no close makes good.
    if (closing.is_clean && !next.beside_bad) life::CloseCleanly(*inode);
    PutInode(transaction, *inode);
    PutHandle(transaction, next);
    replies_.Remember(transaction, caller, file.inode, next.id);
    return {};
  });
  if (!flushed) return flushed;
  handle.Update(next);
  handle.last_thread = 0;  // may be of a process that was just forgotten
  version->SetModified(std::nullopt);
  return {};
}

// Whoever closes what is still empty has a say by its end, too: it may be the command of a shell
// that has opened it.
void Handles::Watch(Caller const& caller, ActiveFile const& file,
                    Verdicts::Closing const& closing) const {
  using Kind = WriterEnds::Kind;
  auto const& record = closing.record;
  if (writers_.ends == nullptr || !record.changed) return;
  if (!record.wrote) return writers_.ends->Closed(caller.pid, file.inode, Kind::kEmpty);
  if (!closing.has_say || !closing.is_clean) return;
  writers_.ends->Closed(caller.pid, file.inode,
                        closing.is_doubtful ? Kind::kDoubtful : Kind::kWritten);
}

// ---- releasing

Result<void> Handles::Release(HandleId id) {
  auto const handle = open_.Find(id);
  if (!handle) return {};
  auto& file = *handle->file;
  Released released;
  std::shared_ptr<Version> version;
  {
    MutexLock lock(file.mutex);
    version = file.version;
    auto removed = Remove(file, *handle);
    if (!removed) return Failure(removed.error());
    released = *std::move(removed);
    if (handle->MayWrite()) version->SetModified(std::nullopt);
    for (auto const& other : released.tainted) other->record.beside_bad = true;
  }
  if (released.left.writing == 0 && handle->MayWrite()) turns_.Leave(version->id());
  if (released.left.handles == 0 && !version) bodies_.CloseStub(file.inode);
  removal_.Tell(released.aftermath);
  if (!released.settles) return {};
  // It will be settled and sent: what it knows of its bytes need not be found out again.
  spool_.KeepOpen(std::move(version));
  finishing_.Settle(file.inode);
  return {};
}

Result<Handles::Released> Handles::Remove(ActiveFile& file, OpenHandle const& handle) {
  auto const& record = handle.record;
  auto const version = file.version;
  auto const synced_at = file.synced_at;
  auto const bad_end = record.changed ? verdicts_.WhyEndedBadly(handle) : std::nullopt;
  return store_.Update([&](Transaction& transaction) -> Result<Released> {
    auto inode = GetInode(transaction, record.inode);
    if (!inode) return Failure(inode.error());
    Released released;
    released.left = open_.Remove(handle);
    DeleteHandle(transaction, record.id);
    if (!handle.MayWrite()) transaction.NoHurry();
    if (inode->links > 0) {
      if (handle.MayWrite()) {
        EndWriting(transaction, record, bad_end, *inode, *version, synced_at, released);
      }
    } else if (released.left.handles == 0) {
      auto const dropped = removal_.DropInode(transaction, *inode);
      if (!dropped) return Failure(dropped.error());
      released.aftermath = *dropped;
    }
    return released;
  });
}

void Handles::EndWriting(Transaction& transaction, Handle const& record,
                         std::optional<std::string> const& bad_end, Inode& inode,
                         Version const& version, Synced const& synced_at,
                         Released& released) const {
  CatchUp(inode, &version);
  if (record.changed && !life::HasFailed(inode)) {
    // Else that close has cleared it, and what is there came later.
    if (bad_end) life::EndBadly(inode, *bad_end);
    // Pages that the kernel writes for a map after the last close are nobody's bad end.
    if (record.verdict == Verdict::kDied) released.tainted = Taint(transaction, inode.id);
  }
  if (released.left.writing == 0 && life::Close(inode)) {
    // Who has called fsync(2) before the close need not wait for the settler's.
    inode.synced = inode.synced_size == inode.size && inode.rewrite == Rewrite::kNone &&
                   synced_at == Synced(version.id(), version.changes());
    released.settles = true;
  }
  PutInode(transaction, inode);
}

// Whoever has it open beside one that ended badly does not know of it: closing what they have
// written says nothing about the rest. Whoever opens it later may have come to mend it.
std::vector<std::shared_ptr<OpenHandle>> Handles::Taint(Transaction& transaction,
                                                        InodeId inode) const {
  auto writing = open_.Writing(inode);
  for (auto const& other : writing) {
    auto record = other->record;
    record.beside_bad = true;
    PutHandle(transaction, record);
  }
  return writing;
}

}  // namespace tusfs
