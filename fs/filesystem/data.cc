// Filesystem: open files and their bytes.
#include <fcntl.h>

#include <cerrno>

#include "catalog/tables.h"
#include "filesystem/filesystem.h"

namespace tusfs {
// ---- versions

Result<std::shared_ptr<Version>> Filesystem::NewVersion() {
  while (true) {
    auto const id = store_.Update(
        [](Transaction& transaction) { return transaction.NewNumber(Counter::kVersion); });
    if (!id) return Failure(id.error());
    auto version = spool_.Create(*id);
    // Bytes of a catalog that was restored from an older copy keep their number.
    if (version || version.error().code != EEXIST) return version;
  }
}

Result<void> Filesystem::LoadVersion(ActiveFile& file, Inode const& inode) {
  if (file.version && file.version->id() == inode.version) return {};
  auto version = spool_.Find(inode.version, inode.size);
  if (!version && version.error().code == ENOENT) {
    return Fail(EIO,
                "the bytes of inode " + std::to_string(inode.id) + " are missing from the spool");
  }
  if (!version) return Failure(version.error());
  file.version = std::move(*version);
  return {};
}

// Nothing durable ever referred to it.
void Filesystem::Discard(Version const& version) {
  if (auto removed = spool_.Remove(version.id()); !removed) {
    logger_->warn("spool file not removed, the next start tries again error=\"{}\"",
                  Describe(removed.error()));
  }
}

Result<std::optional<Uuid>> Filesystem::SwapVersion(Transaction& transaction, Inode& inode,
                                                    VersionId version) {
  auto ownerless = DetachUpload(transaction, inode);
  if (!ownerless) return ownerless;
  RemoveBytesWhenDurable(transaction, inode.version);
  inode.version = version;
  inode.size = inode.synced_size = 0;
  inode.modified = inode.changed = clock_.Wall();
  // Without a writer it is as good as closed; with one, its close decides.
  inode.content = open_.Count(inode.id).writing > 0 ? Content::kWriting : Content::kSettling;
  inode.reason.clear();
  return ownerless;
}

// Truncation to nothing: the old bytes stay as they were sent until the change is durable.
Result<void> Filesystem::Empty(ActiveFile& file) {
  auto const id = file.inode;
  auto version = NewVersion();
  if (!version) return Failure(version.error());
  auto const ownerless =
      store_.Update([&](Transaction& transaction) -> Result<std::optional<Uuid>> {
        auto inode = GetInode(transaction, id);
        if (!inode) return Failure(inode.error());
        auto swapped = SwapVersion(transaction, *inode, (*version)->id());
        if (swapped) PutInode(transaction, *inode);
        return swapped;
      });
  if (!ownerless) {
    Discard(**version);
    return Failure(ownerless.error());
  }
  file.version = std::move(*version);
  uploader_.Abandoned(id, *ownerless);
  return {};
}

Result<void> Filesystem::TruncateVersion(ActiveFile& file, std::uint64_t size) {
  auto const old_size = file.version->size();
  if (size < old_size) {
    // A power cut must not bring the old size back without its bytes.
    if (auto synced = store_.Sync(); !synced) return synced;
  }
  while (true) {
    auto const changed = file.version->Truncate(size);
    if (!changed) return Failure(changed.error());
    if (!changed->below_frontier) return {};
    auto let_go = uploader_.LetGo(file.inode, *file.version, std::min(size, old_size));
    if (!let_go) return let_go;
  }
}

Result<void> Filesystem::ChangeSize(ActiveFile& file, std::uint64_t size) {
  auto const begun = store_.Update([&](Transaction& transaction) -> Result<void> {
    auto inode = GetInode(transaction, file.inode);
    if (!inode) return Failure(inode.error());
    inode->synced_size = std::min(inode->synced_size, size);
    // Nobody may finish it while its size is changing.
    if (inode->content != Content::kInterrupted && inode->content != Content::kFailed) {
      inode->content = Content::kWriting;
    }
    PutInode(transaction, *inode);
    return {};
  });
  if (!begun) return begun;
  auto const truncated = TruncateVersion(file, size);
  if (truncated) file.version->SetModified(clock_.Wall());
  auto const version = file.version;
  auto const ended = store_.Update([&](Transaction& transaction) -> Result<void> {
    auto inode = GetInode(transaction, file.inode);
    if (!inode) return Failure(inode.error());
    CatchUp(*inode, version.get());
    // Without a writer it is as good as closed; with one, its close decides.
    if (inode->content == Content::kWriting && open_.Count(file.inode).writing == 0) {
      inode->content = Content::kSettling;
    }
    PutInode(transaction, *inode);
    return {};
  });
  uploader_.Settle(file.inode);
  return truncated ? ended : truncated;
}

Result<void> Filesystem::Truncate(ActiveFile& file, Caller const& caller, std::uint64_t size,
                                  HandleId handle_id) {
  auto const inode = store_.Read([&](View const& view) { return GetInode(view, file.inode); });
  if (!inode) return Failure(inode.error());
  if (inode->type == FileType::kDirectory) return Fail(EISDIR);
  if (inode->type != FileType::kRegular) return Fail(EINVAL);
  auto const handle = open_.Find(handle_id);
  if (handle && handle->record.inode == file.inode) {
    if (auto begun = BeginChange(file, *handle, caller, false); !begun) return begun;
  }
  if (auto loaded = LoadVersion(file, *inode); !loaded && size > 0) return loaded;
  if (file.version && file.version->size() == size) {
    file.version->SetModified(clock_.Wall());
    return {};
  }
  return size == 0 ? Empty(file) : ChangeSize(file, size);
}

// ---- opening

Result<Filesystem::Created> Filesystem::Create(Caller const& caller, InodeId parent,
                                               std::string_view name, std::uint32_t mode,
                                               int flags) {
  auto version = NewVersion();
  if (!version) return Failure(version.error());
  auto handle = std::make_shared<OpenHandle>();
  auto& record = handle->record;
  record.flags = static_cast<std::uint32_t>(flags);
  record.changed = record.dirty = handle->MayWrite();
  record.connection = connection_;
  handle->writers.insert(processes_.ProcessOf(caller.pid));
  auto created = store_.Update([&](Transaction& transaction) -> Result<Created> {
    auto inode =
        AddNew(transaction, caller, parent, name, FileType::kRegular, mode, [&](Inode& fresh) {
          fresh.version = (*version)->id();
          fresh.content = handle->MayWrite() ? Content::kWriting : Content::kSettling;
        });
    if (!inode) return Failure(inode.error());
    auto const id = transaction.NewNumber(Counter::kHandle);
    if (!id) return Failure(id.error());
    record.id = *id;
    record.inode = inode->id;
    PutHandle(transaction, record);
    // Inside the transaction, so that an unlink sees neither the name nor the handle, or both.
    handle->file = std::make_shared<ActiveFile>(inode->id, *version);
    open_.Add(handle);
    return Created{Show(*inode), *id};
  });
  if (!created) {
    open_.Remove(*handle);
    Discard(**version);
  } else if (!handle->MayWrite()) {
    uploader_.Settle(record.inode);  // as empty as it will be
  }
  return created;
}

Result<HandleId> Filesystem::Open(Caller const& caller, InodeId id, int flags) {
  auto const pin = open_.Activate(id);
  auto& file = *pin.file();
  MutexLock lock(file.mutex);
  auto const inode = store_.Read([&](View const& view) { return GetInode(view, id); });
  if (!inode) return Failure(inode.error());
  if (inode->type == FileType::kDirectory) return Fail(EISDIR);

  auto handle = std::make_shared<OpenHandle>();
  handle->file = pin.file();
  auto& record = handle->record;
  record.inode = id;
  record.flags = static_cast<std::uint32_t>(flags);
  record.connection = connection_;
  std::shared_ptr<Version> fresh;
  if ((flags & O_TRUNC) != 0) {
    auto version = NewVersion();
    if (!version) return Failure(version.error());
    fresh = std::move(*version);
    record.changed = record.dirty = true;
    handle->writers.insert(processes_.ProcessOf(caller.pid));
  } else if (auto loaded = LoadVersion(file, *inode); !loaded) {
    return Failure(loaded.error());
  }
  std::optional<Uuid> ownerless;
  auto opened = store_.Update([&](Transaction& transaction) -> Result<HandleId> {
    auto current = GetInode(transaction, id);
    if (!current) return Failure(current.error());
    auto const number = transaction.NewNumber(Counter::kHandle);
    if (!number) return Failure(number.error());
    record.id = *number;
    PutHandle(transaction, record);
    open_.Add(handle);  // inside the transaction: see Create
    if (fresh) {
      auto swapped = SwapVersion(transaction, *current, fresh->id());
      if (!swapped) return Failure(swapped.error());
      ownerless = *swapped;
      PutInode(transaction, *current);
    } else if (handle->MayWrite() &&
               (current->content == Content::kSettling || current->content == Content::kFinished)) {
      current->content = Content::kWriting;
      PutInode(transaction, *current);
    }
    return *number;
  });
  if (!opened) {
    open_.Remove(*handle);
    if (fresh) Discard(*fresh);
    return opened;
  }
  if (fresh) {
    file.version = std::move(fresh);
    uploader_.Abandoned(id, ownerless);
    if (!handle->MayWrite()) uploader_.Settle(id);
  }
  return opened;
}

// ---- bytes

Result<std::size_t> Filesystem::Read(HandleId id, std::uint64_t offset, std::span<std::byte> out) {
  auto const handle = open_.Find(id);
  if (!handle) return Fail(EBADF);
  std::shared_ptr<Version> version;
  {
    MutexLock lock(handle->file->mutex);
    version = handle->file->version;
  }
  return version->Read(offset, out);
}

// The first change through a handle, and the first after a close, are journaled: should the
// connection end now, the file is not finished.
Result<void> Filesystem::BeginChange(ActiveFile& file, OpenHandle& handle, Caller const& caller,
                                     bool is_write) {
  auto& record = handle.record;
  // Writes of the kernel's own (mmap) have pid 0.
  bool const first_write = is_write && !record.wrote;
  if (caller.pid > 0 && (first_write || caller.pid != handle.last_thread)) {
    auto const process =
        handle.writers.contains(caller.pid) ? caller.pid : processes_.ProcessOf(caller.pid);
    // Whoever opened it has no say once somebody writes.
    if (first_write) handle.writers.clear();
    handle.writers.insert(process);
    handle.last_thread = caller.pid;
  }
  if (record.changed && record.dirty && (record.wrote || !is_write)) return {};
  Handle next = record;
  next.changed = next.dirty = true;
  next.wrote = next.wrote || is_write;
  auto const begun = store_.Update([&](Transaction& transaction) -> Result<void> {
    auto inode = GetInode(transaction, file.inode);
    if (!inode) return Failure(inode.error());
    PutHandle(transaction, next);
    if (inode->content != Content::kWriting && inode->content != Content::kFailed) {
      inode->content = Content::kWriting;
      PutInode(transaction, *inode);
    }
    return {};
  });
  if (begun) record = next;
  return begun;
}

Result<void> Filesystem::Write(Caller const& caller, HandleId id, std::uint64_t offset,
                               std::span<std::byte const> bytes) {
  auto const handle = open_.Find(id);
  if (!handle || !handle->MayWrite()) return Fail(EBADF);
  auto& file = *handle->file;
  MutexLock lock(file.mutex);
  auto written = BeginChange(file, *handle, caller, true);
  if (written) written = WriteBytes(file, offset, bytes);
  auto& hole = handle->failed_write;
  if (!written) {
    RememberFailedWrite(*handle, offset, written.error());
  } else if (hole && offset <= *hole && *hole < offset + bytes.size()) {
    hole.reset();  // written after all
    handle->record.broken = false;
  }
  return written;
}

Result<void> Filesystem::WriteBytes(ActiveFile& file, std::uint64_t offset,
                                    std::span<std::byte const> bytes) {
  while (true) {
    auto const written = file.version->Write(offset, bytes);
    if (!written) return Failure(written.error());
    if (!written->below_frontier) {
      file.version->SetModified(clock_.Wall());
      if (written->notify) uploader_.Nudge(file.inode);
      return {};
    }
    if (auto let_go = uploader_.LetGo(file.inode, *file.version, offset); !let_go) return let_go;
  }
}

// Many programs close a file whose write failed (a full disk) like a good one.
void Filesystem::RememberFailedWrite(OpenHandle& handle, std::uint64_t offset, Error const& error) {
  auto& record = handle.record;
  if (!handle.failed_write) handle.failed_write = offset;
  record.broken = true;
  record.verdict = Verdict::kDied;
  record.reason = "a write to it failed: " + Describe(error);
  auto const kept = store_.Update([&](Transaction& transaction) -> Result<void> {
    PutHandle(transaction, record);
    return {};
  });
  if (!kept) logger_->warn("failed write not journaled error=\"{}\"", Describe(kept.error()));
}

// ---- closing

Result<void> Filesystem::Flush(Caller const& caller, HandleId id) {
  auto const handle = open_.Find(id);
  if (!handle) return Fail(EBADF);
  auto& file = *handle->file;
  MutexLock lock(file.mutex);
  auto& record = handle->record;
  // Whoever did not write (a shell that opened the file for its command) has no say.
  auto const& writers = handle->writers;
  bool const speaks = record.changed && (writers.empty() || writers.contains(caller.pid) ||
                                         writers.contains(processes_.ProcessOf(caller.pid)));
  if (!speaks && !file.version->modified()) return {};
  Handle next = record;
  if (speaks && record.broken) {
    next.dirty = false;  // whoever closes it, and however
  } else if (speaks) {
    auto judgement = processes_.JudgeClose(caller.pid);
    // dd closes a duplicate before it writes: that says nothing.
    if (record.wrote || judgement.verdict != Verdict::kClean) {
      next.verdict = judgement.verdict;
      next.reason = std::move(judgement.reason);
      next.dirty = false;
    }
  }
  auto const version = file.version;
  auto const flushed = store_.Update([&](Transaction& transaction) -> Result<void> {
    auto inode = GetInode(transaction, record.inode);
    if (!inode) return Failure(inode.error());
    CatchUp(*inode, version.get());
    if (speaks && next.verdict == Verdict::kClean && !next.dirty) inode->reason.clear();
    PutInode(transaction, *inode);
    PutHandle(transaction, next);
    return {};
  });
  if (!flushed) return flushed;
  record = next;
  if (speaks && !record.dirty && !writers.empty()) {
    // A shell keeps one handle for many commands: the last of them is enough to remember.
    handle->writers = {writers.contains(caller.pid) ? caller.pid
                                                    : processes_.ProcessOf(caller.pid)};
  }
  file.version->SetModified(std::nullopt);
  return {};
}

Result<void> Filesystem::Sync(HandleId id) {
  auto const handle = open_.Find(id);
  if (!handle) return Fail(EBADF);
  auto& file = *handle->file;
  std::shared_ptr<Version> version;
  {
    MutexLock lock(file.mutex);
    version = file.version;
  }
  // Not under the lock: a disk may take long. What is written meanwhile is not promised.
  auto const size = version->size();
  auto const synced = version->Sync();
  {
    MutexLock lock(file.mutex);
    auto const recorded = store_.Update([&](Transaction& transaction) -> Result<void> {
      auto inode = GetInode(transaction, file.inode);
      if (!inode) return Failure(inode.error());
      if (inode->version != version->id()) return {};
      CatchUp(*inode, version.get());
      if (synced) {
        inode->synced_size = std::min(size, inode->size);
      } else {
        // The kernel says it once; the next fdatasync would succeed over lost pages.
        inode->content = Content::kFailed;
        inode->reason = Describe(synced.error());
      }
      PutInode(transaction, *inode);
      return {};
    });
    if (!recorded) return recorded;
    version->SetModified(std::nullopt);
  }
  return synced ? store_.Sync() : synced;
}

Result<void> Filesystem::Release(HandleId id) {
  auto const handle = open_.Find(id);
  if (!handle) return {};
  auto& file = *handle->file;
  bool settles = false;
  Aftermath aftermath;
  {
    MutexLock lock(file.mutex);
    auto const& record = handle->record;
    auto const version = file.version;
    auto const released = store_.Update([&](Transaction& transaction) -> Result<void> {
      auto inode = GetInode(transaction, record.inode);
      if (!inode) return Failure(inode.error());
      auto const left = open_.Remove(*handle);
      DeleteHandle(transaction, record.id);
      if (inode->links == 0) {
        if (left.handles > 0) return {};
        auto ownerless = DropInode(transaction, *inode);
        if (!ownerless) return Failure(ownerless.error());
        aftermath = {inode->id, *ownerless};
        return {};
      }
      if (!handle->MayWrite()) return {};
      CatchUp(*inode, version.get());
      if (record.changed) {
        bool const unclosed = record.dirty && record.wrote;
        inode->reason = unclosed ? "nobody who wrote to it has closed it" : record.reason;
      }
      if (inode->content == Content::kWriting && left.writing == 0) {
        inode->content = inode->reason.empty() ? Content::kSettling : Content::kInterrupted;
        settles = true;
      }
      PutInode(transaction, *inode);
      return {};
    });
    if (!released) return released;
    if (handle->MayWrite()) version->SetModified(std::nullopt);
  }
  Settled(aftermath);
  if (settles) uploader_.Settle(file.inode);
  return {};
}

}  // namespace tusfs
