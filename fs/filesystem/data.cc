// Filesystem: the bytes of open files, and sizes.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <initializer_list>
#include <limits>

#include "catalog/life.h"
#include "catalog/tables.h"
#include "filesystem/attributes.h"
#include "filesystem/filesystem.h"

namespace tusfs {
Result<void> Filesystem::Truncate(ActiveFile& file, Caller const& caller, std::uint64_t size,
                                  HandleId handle_id) {
  auto const inode = store_.Read([&](View const& view) { return GetInode(view, file.inode); });
  if (!inode) return Failure(inode.error());
  if (inode->type == FileType::kDirectory) return Fail(EISDIR);
  if (inode->type != FileType::kRegular) return Fail(EINVAL);
  auto const handle = open_.Find(handle_id);
  if (handle && handle->record.inode == file.inode) {
    if (auto begun = BeginChange(file, *handle, caller, false, kNoByte); !begun) return begun;
  }
  auto restored = *inode;
  if (size > 0) {
    if (auto loaded = bodies_.Restore(file, restored); !loaded) return loaded;
  } else if (inode->version != 0) {
    // Bytes that are missing are not needed either.
    static_cast<void>(bodies_.Load(file, *inode));
  }
  // An earlier process died over this very request when the disk had the size already: what it had
  // begun has to be ended.
  bool const unended = life::IsBeingWritten(*inode) && open_.Count(file.inode).writing == 0;
  if (file.version && file.version->size() == size && !unended) {
    file.version->SetModified(clock_.Wall());
    return {};
  }
  return bodies_.Resize(file, size);
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
  if (!version) return bodies_.ReadStub(*handle->file, offset, out);
  NoteRead(*handle, *version);
  return version->Read(offset, out);
}

// Once for each state of the bytes: with relatime, that is when a read can count.
void Filesystem::NoteRead(OpenHandle& handle, Version const& version) {
  if ((handle.record.flags & O_NOATIME) != 0) return;
  auto const changes = version.changes();
  if (handle.read_at.exchange(changes) != changes) access_times_.Note(handle.file->inode);
}

Result<Turn> Filesystem::Write(Caller const& caller, HandleId id, std::uint64_t offset,
                               std::span<std::byte const> bytes, bool may_wait) {
  auto const handle = open_.Find(id);
  if (!handle || !handle->MayWrite()) return Fail(EBADF);
  auto& file = *handle->file;
  MutexLock lock(file.mutex);
  auto written = BeginChange(file, *handle, caller, true, offset);
  file.changed_from = std::min(file.changed_from, offset);
  if (written && caller.drops_privileges) written = DropPrivilegesOnWrite(file);
  if (written) written = WriteBytes(file, offset, bytes);
  if (!written) {
    NoteFailedWrite(*handle, offset, written.error());
    return Failure(written.error());
  }
  if (handle->record.failed_write) NoteWritten(*handle, offset, offset + bytes.size());
  return may_wait ? TakeTurn(file, *handle, offset) : Turn::kGo;
}

Result<Turn> Filesystem::TakeTurn(ActiveFile& file, OpenHandle& handle, std::uint64_t offset) {
  auto const& version = *file.version;
  auto const turn = turns_.Ask(version.id(), version.taken());
  if (turn != Turn::kFull) return turn;
  Error full{ENOSPC, "the spool is full"};
  if (auto const stuck = spool_.budget().stuck(); stuck > 0) {
    full.context += ", and " + std::to_string(stuck) +
                    " bytes of it wait for somebody ('tusfsctl status' says which)";
  }
  NoteFailedWrite(handle, offset, full);
  return Failure(full);
}

Result<Turn> Filesystem::AskTurn(HandleId id, std::uint64_t offset) {
  auto const handle = open_.Find(id);
  if (!handle) return Turn::kGo;
  auto& file = *handle->file;
  MutexLock lock(file.mutex);
  return TakeTurn(file, *handle, offset);
}

Result<void> Filesystem::DropPrivilegesOnWrite(ActiveFile& file) {
  if (file.is_unprivileged) return {};
  auto const dropped = store_.Update([&](Transaction& transaction) -> Result<void> {
    auto inode = GetInode(transaction, file.inode);
    if (!inode) return Failure(inode.error());
    DropPrivileges(transaction, *inode);
    PutInode(transaction, *inode);
    return {};
  });
  file.is_unprivileged = dropped.has_value();
  return dropped;
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
    // A write that a daemon died over comes again, and its bytes may have been sent meanwhile; some
    // programs write what is there already. What the server has stays right.
    if (file.version->Holds(offset, bytes)) {
      file.version->SetModified(clock_.Wall());
      return {};
    }
    if (auto let_go = uploader_.LetGo(file.inode, *file.version, offset); !let_go) return let_go;
  }
}

Result<void> Filesystem::Allocate(Caller const& caller, HandleId id, int mode, std::uint64_t offset,
                                  std::uint64_t length) {
  constexpr int kZero = FALLOC_FL_ZERO_RANGE;
  constexpr int kKeep = FALLOC_FL_KEEP_SIZE;
  auto const is_known = [mode](std::initializer_list<int> modes) {
    return std::find(modes.begin(), modes.end(), mode) != modes.end();
  };
  if (!is_known({0, kKeep, FALLOC_FL_PUNCH_HOLE | kKeep, kZero, kZero | kKeep})) {
    return Fail(EOPNOTSUPP);
  }
  auto const handle = open_.Find(id);
  if (!handle || !handle->MayWrite()) return Fail(EBADF);
  auto& file = *handle->file;
  MutexLock lock(file.mutex);
  bool const zeroes = (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) != 0;
  auto const first = zeroes ? offset : kNoByte;
  if (auto begun = BeginChange(file, *handle, caller, false, first); !begun) return begun;
  file.changed_from = std::min(file.changed_from, first);
  if (caller.uid != 0) {  // the kernel does not say whether the caller may keep them
    if (auto dropped = DropPrivilegesOnWrite(file); !dropped) return dropped;
  }
  return AllocateBytes(file, mode, offset, length);
}

Result<void> Filesystem::AllocateBytes(ActiveFile& file, int mode, std::uint64_t offset,
                                       std::uint64_t length) {
  auto& budget = spool_.budget();
  bool const takes = (mode & FALLOC_FL_PUNCH_HOLE) == 0;
  if (takes && length > budget.limit() - std::min(budget.limit(), budget.used())) {
    return Fail(ENOSPC, "the spool has no room for what is to be allocated");
  }
  while (true) {
    auto const size = file.version->size();
    auto const allocated = file.version->Allocate(mode, offset, length);
    if (!allocated) return Failure(allocated.error());
    if (!allocated->below_frontier) {
      file.version->SetModified(clock_.Wall());
      return {};
    }
    auto let_go = uploader_.LetGo(file.inode, *file.version, std::min(offset, size));
    if (!let_go) return let_go;
  }
}

Result<std::uint64_t> Filesystem::Seek(HandleId id, std::uint64_t offset, int whence) {
  auto const handle = open_.Find(id);
  if (!handle) return Fail(EBADF);
  if (whence != SEEK_DATA && whence != SEEK_HOLE) return Fail(EINVAL);
  {
    MutexLock lock(handle->file->mutex);
    if (handle->file->version) return handle->file->version->Seek(offset, whence);
  }
  auto const inode =
      store_.Read([&](View const& view) { return GetInode(view, handle->record.inode); });
  if (!inode) return Failure(inode.error());
  if (offset >= inode->size) return Fail(ENXIO);
  return whence == SEEK_DATA ? offset : inode->size;  // where it has holes, the server does not say
}

Result<void> Filesystem::Sync(HandleId id) {
  auto const handle = open_.Find(id);
  if (!handle) return Fail(EBADF);
  auto& file = *handle->file;
  std::shared_ptr<Version> version;
  std::uint64_t size = 0;
  std::uint64_t changes = 0;
  {
    MutexLock lock(file.mutex);
    version = file.version;
    if (version) {
      changes = version->changes();
      size = version->size();
    }
    if (version && file.syncs++ == 0) file.changed_from = ActiveFile::kNotKnown;
  }
  if (!version) return store_.Sync();
  // Not under the lock: a disk may take long. What is written meanwhile is not promised.
  auto const synced = version->Sync();
  {
    MutexLock lock(file.mutex);
    --file.syncs;
    auto const changed_from = file.changed_from;
    auto vouched = file.vouched;
    auto const recorded = store_.Update([&](Transaction& transaction) -> Result<void> {
      auto inode = GetInode(transaction, file.inode);
      if (!inode) return Failure(inode.error());
      if (inode->version != version->id()) return {};
      CatchUp(*inode, version.get());
      if (synced) {
        inode->synced_size = std::min(size, inode->size);
        // What was written over meanwhile may be on disk or not.
        if (changed_from < inode->synced_size) inode->rewrite = Rewrite::kBegun;
        vouched = inode->rewrite == Rewrite::kBegun ? vouched : inode->synced_size;
      } else {
        // The kernel says it once; the next fdatasync would succeed over lost pages.
        life::Fail(*inode, Describe(synced.error()));
      }
      PutInode(transaction, *inode);
      return {};
    });
    if (!recorded) return recorded;
    version->SetModified(std::nullopt);
    file.vouched = vouched;
    if (synced) file.synced_at = {version->id(), changes};
  }
  return synced ? store_.Sync() : synced;
}

}  // namespace tusfs
