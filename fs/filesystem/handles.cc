// Filesystem: opening and closing, and what a handle says about its writers.
#include <fcntl.h>

#include <cerrno>

#include "catalog/kept.h"
#include "catalog/life.h"
#include "catalog/tables.h"
#include "filesystem/attributes.h"
#include "filesystem/directory.h"
#include "filesystem/filesystem.h"

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

// ---- opening

Result<Filesystem::Created> Filesystem::Create(Caller const& caller, InodeId parent,
                                               std::string_view name, std::uint32_t mode,
                                               int flags) {
  return replies_.Once(
      caller, [&] { return CreateNew(caller, parent, name, mode, flags); },
      [&](Reply const& reply) -> Result<Created> {
        auto const attributes = GetAttributes(reply.inode);
        if (!attributes) return Failure(attributes.error());
        return Created{*attributes, reply.handle};
      });
}

Result<Filesystem::Created> Filesystem::CreateNew(Caller const& caller, InodeId parent,
                                                  std::string_view name, std::uint32_t mode,
                                                  int flags) {
  auto version = bodies_.Make();
  if (!version) return Failure(version.error());
  auto handle = std::make_shared<OpenHandle>();
  auto& record = handle->record;
  record.flags = static_cast<std::uint32_t>(flags);
  record.changed = record.dirty = handle->MayWrite();
  record.connection = replies_.connection();
  auto const process = processes_.ProcessOf(caller.pid);
  record.writers.insert(process);
  if (handle->MayWrite()) record.opener = process;
  auto created = store_.Update([&](Transaction& transaction) -> Result<Created> {
    auto inode = AddInode(transaction, caller, parent, name,
                          {FileType::kRegular, mode, clock_.Wall(), [&](Inode& fresh) {
                             fresh.version = (*version)->id();
                             life::BeginVersion(fresh, handle->MayWrite());
                           }});
    if (!inode) return Failure(inode.error());
    auto const id = transaction.NewNumber(Counter::kHandle);
    if (!id) return Failure(id.error());
    record.id = *id;
    record.inode = inode->id;
    PutHandle(transaction, record);
    replies_.Remember(transaction, caller, inode->id, *id);
    // Inside the transaction, so that an unlink sees neither the name nor the handle, or both.
    handle->file = std::make_shared<ActiveFile>(inode->id, *version);
    open_.Add(handle);
    return Created{Show(spool_, *inode), *id};
  });
  if (!created) {
    open_.Remove(*handle);
    bodies_.Discard(**version);
  } else if (!handle->MayWrite()) {
    uploader_.Settle(record.inode);  // as empty as it will be
  }
  return created;
}

Result<HandleId> Filesystem::Open(Caller const& caller, InodeId id, int flags) {
  return replies_.Once(
      caller, [&] { return OpenFile(caller, id, flags); },
      [](Reply const& reply) { return Result<HandleId>(reply.handle); });
}

Result<HandleId> Filesystem::OpenFile(Caller const& caller, InodeId id, int flags) {
  auto const pin = open_.Activate(id);
  auto& file = *pin.file();
  MutexLock lock(file.mutex);
  // Looked at behind Activate: of a file that is there nobody evicts the bytes.
  auto inode = store_.Read([&](View const& view) { return GetInode(view, id); });
  // A name that went without the kernel: it looks the path up once more.
  if (!inode && inode.error().code == ENOENT) return Fail(ESTALE);
  if (!inode) return Failure(inode.error());
  if (inode->type == FileType::kDirectory) return Fail(EISDIR);

  auto handle = std::make_shared<OpenHandle>();
  handle->file = pin.file();
  auto& record = handle->record;
  record.inode = id;
  record.flags = static_cast<std::uint32_t>(flags);
  record.connection = replies_.connection();
  if (handle->MayWrite()) record.opener = processes_.ProcessOf(caller.pid);
  std::shared_ptr<Version> fresh;
  if ((flags & O_TRUNC) != 0) {
    auto version = bodies_.Make();
    if (!version) return Failure(version.error());
    fresh = std::move(*version);
    record.changed = record.dirty = true;
    record.writers.insert(handle->MayWrite() ? record.opener : processes_.ProcessOf(caller.pid));
  } else if (inode->version != 0 || handle->MayWrite()) {
    if (handle->MayWrite()) file.vouched = ActiveFile::kNotKnown;  // it may have been finished
    if (auto restored = bodies_.Restore(file, *inode); !restored) return Failure(restored.error());
  }
  bool const was_left = life::IsSettling(*inode) || life::IsFinished(*inode);
  if (!fresh && handle->MayWrite() && was_left) {
    if (auto dropped = file.version->DropTail(); !dropped) return Failure(dropped.error());
  }
  std::optional<Uuid> ownerless;
  auto opened = store_.Update([&](Transaction& transaction) -> Result<HandleId> {
    auto current = GetInode(transaction, id);
    if (!current) return Failure(current.error());
    auto const number = transaction.NewNumber(Counter::kHandle);
    if (!number) return Failure(number.error());
    record.id = *number;
    PutHandle(transaction, record);
    replies_.Remember(transaction, caller, id, *number);
    open_.Add(handle);  // inside the transaction: see Create
    // For a successor of this daemon; after a power cut there are no handles.
    if (!fresh && !handle->MayWrite()) transaction.NoHurry();
    if (fresh) {
      auto swapped = bodies_.Replace(transaction, *current, fresh->id());
      if (!swapped) return Failure(swapped.error());
      ownerless = *swapped;
      if (caller.drops_privileges) DropPrivileges(transaction, *current);
      PutInode(transaction, *current);
    } else if (handle->MayWrite() && life::OpenForWriting(*current)) {
      PutInode(transaction, *current);
    } else if (IsWorthNoting(*current, clock_.Wall())) {
      UseKept(transaction, *current, clock_.Wall());
      PutInode(transaction, *current);
    }
    return *number;
  });
  if (!opened) {
    open_.Remove(*handle);
    if (fresh) bodies_.Discard(*fresh);
    return opened;
  }
  if (fresh) {
    file.version = std::move(fresh);
    uploader_.Abandoned(id, ownerless);
    if (!handle->MayWrite()) uploader_.Settle(id);
  }
  return opened;
}

// ---- writing

// What a successor has to know is journaled: the first change through a handle, the first after a
// close or a rename, and each process that begins to write. Should the connection end now, the file
// is not finished. Should the power be cut, a catalog that calls the bytes finished, or a part of
// them synced, must not be what comes back with other bytes: it is made durable before the first of
// these is written over, once for each time that the file is opened.
Result<void> Filesystem::BeginChange(ActiveFile& file, OpenHandle& handle, Caller const& caller,
                                     bool is_write, std::uint64_t first) {
  auto& record = handle.record;
  bool const first_write = is_write && !record.wrote;
  pid_t writer = 0;  // to be known; writes of the kernel's own (mmap) have no process
  if (caller.pid > 0 && (first_write || caller.pid != handle.last_thread)) {
    writer = record.writers.contains(caller.pid) ? caller.pid : processes_.ProcessOf(caller.pid);
  }
  bool const known = writer == 0 || record.writers.contains(writer);
  bool const is_vouched = first < file.vouched;
  if (record.changed && record.dirty && !first_write && known && !file.may_be_renamed &&
      !is_vouched) {
    if (writer != 0) handle.last_thread = caller.pid;
    return {};
  }
  Handle next = record;
  // Whoever opened it has no say once somebody writes.
  if (first_write && writer != 0) next.writers.clear();
  if (writer != 0) next.writers.insert(writer);
  next.changed = next.dirty = true;
  next.wrote = next.wrote || is_write;
  // From here on a successor takes the size from the disk.
  if (auto dropped = file.version->DropTail(); !dropped) return dropped;
  std::uint64_t synced_size = 0;
  auto const begun = store_.Update([&](Transaction& transaction) -> Result<void> {
    auto inode = GetInode(transaction, file.inode);
    if (!inode) return Failure(inode.error());
    if (auto changeable = CheckChangeable(transaction, *inode); !changeable) return changeable;
    PutHandle(transaction, next);
    synced_size = inode->synced_size;
    bool const rewrites = first < synced_size && inode->rewrite != Rewrite::kBegun;
    bool const begins = !life::IsBeingWritten(*inode) && !life::HasFailed(*inode);
    if (begins || rewrites || inode->renamed || inode->approved) {
      ForgetDecisions(*inode);
      life::Change(*inode);
      if (rewrites) inode->rewrite = Rewrite::kBegun;
      PutInode(transaction, *inode);
    }
    file.may_be_renamed = false;  // inside the transaction, so that a rename is before it or behind
    return {};
  });
  if (!begun) return begun;
  if (!is_vouched) {
    // Nothing of what is durable is touched.
  } else if (first < synced_size) {
    if (auto synced = store_.Sync(); !synced) return synced;
    file.vouched = 0;
  } else {
    file.vouched = synced_size;
  }
  handle.Update(std::move(next));
  if (writer != 0) handle.last_thread = caller.pid;
  return {};
}

// Many programs close a file whose write failed (a full disk) like a good one.
void Filesystem::NoteFailedWrite(OpenHandle& handle, std::uint64_t offset, Error const& error) {
  auto& record = handle.record;
  if (!record.failed_write) record.failed_write = offset;
  record.verdict = Verdict::kDied;
  record.reason = "a write to it failed: " + Describe(error);
  KeepHandle(record);
}

void Filesystem::NoteWritten(OpenHandle& handle, std::uint64_t begin, std::uint64_t end) {
  auto& hole = handle.record.failed_write;
  if (*hole < begin || *hole >= end) return;
  hole.reset();  // written after all
  KeepHandle(handle.record);
}

void Filesystem::KeepHandle(Handle const& record) {
  auto const kept = store_.Update([&](Transaction& transaction) -> Result<void> {
    PutHandle(transaction, record);
    return {};
  });
  if (!kept) logger_->Warn("failed write not journaled error=\"{}\"", Describe(kept.error()));
}

// ---- closing

Result<void> Filesystem::Flush(Caller const& caller, HandleId id) {
  auto const handle = open_.Find(id);
  if (!handle) return Fail(EBADF);
  return replies_.Once(
      caller, [&] { return JudgeClose(caller, *handle); },
      [](Reply const&) { return Result<void>(); });
}

Result<void> Filesystem::JudgeClose(Caller const& caller, OpenHandle& handle) {
  auto& file = *handle.file;
  MutexLock lock(file.mutex);
  auto& record = handle.record;
  // Whoever did not write (a shell that opened the file for its command) has no say, unless it is
  // killed: its next command would have written on.
  auto const& writers = record.writers;
  bool const speaks = record.changed && (writers.empty() || writers.contains(caller.pid) ||
                                         writers.contains(processes_.ProcessOf(caller.pid)));
  auto const killed = speaks ? std::nullopt : JudgeOpener(record, caller);
  if (!file.version || (!speaks && !killed && !file.version->modified())) return {};
  Handle next = record;
  if (killed) {
    next.verdict = killed->verdict;
    next.reason = killed->reason;
  } else if (speaks && record.failed_write) {
    next.dirty = false;  // whoever closes it, and however
  } else if (speaks) {
    auto judgement = processes_.JudgeClose(caller.pid);
    if (judgement.verdict == Verdict::kUnknown && uploader_.rules().publish_unknown) {
      judgement = {Verdict::kClean, {}};
    }
    if (judgement.verdict == Verdict::kClean && record.wrote) judgement = JudgeCopy(file, caller);
    // dd closes a duplicate before it writes: that says nothing.
    if (record.wrote || judgement.verdict != Verdict::kClean) {
      next.verdict = judgement.verdict;
      next.reason = std::move(judgement.reason);
      next.dirty = false;
    }
  }
  if (speaks && !next.dirty && !writers.empty()) {
    // A shell keeps one handle for many commands: the last of them is enough to remember.
    next.writers = {writers.contains(caller.pid) ? caller.pid : processes_.ProcessOf(caller.pid)};
  }
  auto const version = file.version;
  auto const flushed = store_.Update([&](Transaction& transaction) -> Result<void> {
    auto inode = GetInode(transaction, record.inode);
    if (!inode) return Failure(inode.error());
    CatchUp(*inode, version.get());
    // What the local disk has failed no close makes good.
    bool const is_clean = speaks && next.verdict == Verdict::kClean && !next.dirty;
    bool const mends = is_clean && !next.beside_bad;
    if (mends) life::CloseCleanly(*inode);
    PutInode(transaction, *inode);
    PutHandle(transaction, next);
    replies_.Remember(transaction, caller, record.inode, record.id);
    return {};
  });
  if (!flushed) return flushed;
  handle.Update(std::move(next));
  handle.last_thread = 0;  // may be of a process that was just forgotten
  file.version->SetModified(std::nullopt);
  return {};
}

std::optional<Judgement> Filesystem::JudgeOpener(Handle const& record, Caller const& caller) const {
  bool const may_be = record.changed && record.opener != 0 && caller.pid > 0;
  if (!may_be || record.opener != processes_.ProcessOf(caller.pid)) return std::nullopt;
  auto judgement = processes_.JudgeClose(caller.pid);
  if (!judgement.killed) return std::nullopt;
  judgement.reason = "the program that had it open for others was killed";
  return judgement;
}

// A copying program whose source failed goes on with its next file, and says so much later.
Judgement Filesystem::JudgeCopy(ActiveFile& file, Caller const& caller) const {
  auto inode = store_.Read([&](View const& view) { return GetInode(view, file.inode); });
  if (!inode) return {Verdict::kClean, {}};
  CatchUp(*inode, file.version.get());
  return processes_.JudgeCopy(caller.pid, inode->name, inode->changed);
}

// Whoever has it open beside one that ended badly does not know of it: closing what they have
// written says nothing about the rest. Whoever opens it later may have come to mend it.
std::vector<std::shared_ptr<OpenHandle>> Filesystem::Taint(Transaction& transaction,
                                                           InodeId inode) const {
  auto writing = open_.Writing(inode);
  for (auto const& other : writing) {
    auto record = other->record;
    record.beside_bad = true;
    PutHandle(transaction, record);
  }
  return writing;
}

Result<void> Filesystem::Release(HandleId id) {
  auto const handle = open_.Find(id);
  if (!handle) return {};
  auto& file = *handle->file;
  bool settles = false;
  Removal::Aftermath aftermath;
  OpenFiles::Left left;
  VersionId written = 0;
  bool is_stub = false;
  std::vector<std::shared_ptr<OpenHandle>> tainted;
  {
    MutexLock lock(file.mutex);
    auto const& record = handle->record;
    auto const version = file.version;
    auto const synced_at = file.synced_at;
    is_stub = version == nullptr;
    if (handle->MayWrite()) written = version->id();
    auto const released = store_.Update([&](Transaction& transaction) -> Result<void> {
      auto inode = GetInode(transaction, record.inode);
      if (!inode) return Failure(inode.error());
      left = open_.Remove(*handle);
      DeleteHandle(transaction, record.id);
      if (!handle->MayWrite()) transaction.NoHurry();
      if (inode->links == 0) {
        if (left.handles > 0) return {};
        auto const dropped = removal_.DropInode(transaction, *inode);
        if (!dropped) return Failure(dropped.error());
        aftermath = *dropped;
        return {};
      }
      if (!handle->MayWrite()) return {};
      CatchUp(*inode, version.get());
      if (record.changed && !life::HasFailed(*inode)) {
        bool const unclosed = record.dirty && record.wrote && !uploader_.rules().publish_unknown;
        if (unclosed) {
          life::EndBadly(*inode, "nobody who wrote to it has closed it");
        } else if (record.verdict != Verdict::kClean &&
                   !(record.reason.empty() && record.beside_bad)) {
          life::EndBadly(*inode, record.reason);
        }  // else that close has cleared it, and what is there came later
        // Pages that the kernel writes for a map after the last close are nobody's bad end.
        if (record.verdict == Verdict::kDied) tainted = Taint(transaction, file.inode);
      }
      if (left.writing == 0 && life::Close(*inode)) {
        // Who has called fsync(2) before the close need not wait for the settler's.
        inode->synced = inode->synced_size == inode->size && inode->rewrite == Rewrite::kNone &&
                        synced_at == std::pair(version->id(), version->changes());
        settles = true;
      }
      PutInode(transaction, *inode);
      return {};
    });
    if (!released) return released;
    if (handle->MayWrite()) version->SetModified(std::nullopt);
    // It will be settled and sent; what it knows of its bytes need not be found out again.
    if (settles) spool_.KeepOpen(version);
    for (auto const& other : tainted) other->record.beside_bad = true;
  }
  if (left.writing == 0 && written != 0) turns_.Leave(written);
  if (left.handles == 0 && is_stub) bodies_.CloseStub(file.inode);
  removal_.Tell(aftermath);
  if (settles) uploader_.Settle(file.inode);
  return {};
}

}  // namespace tusfs
