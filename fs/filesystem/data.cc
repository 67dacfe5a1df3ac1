#include "filesystem/data.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <initializer_list>
#include <string>

#include "catalog/life.h"
#include "catalog/tables.h"
#include "filesystem/attributes.h"

namespace tusfs {
namespace {

bool IsKnownMode(int mode) {
  constexpr int kZero = FALLOC_FL_ZERO_RANGE;
  constexpr int kKeep = FALLOC_FL_KEEP_SIZE;
  auto const known = {0, kKeep, FALLOC_FL_PUNCH_HOLE | kKeep, kZero, kZero | kKeep};
  return std::find(known.begin(), known.end(), mode) != known.end();
}

}  // namespace

Data::Data(Store& store, Budget const& budget, Uploader& uploader, OpenFiles const& open,
           Turns& turns, Bodies& bodies, Changes& changes, AccessTimes const& access_times,
           Clock const& clock)
    : store_(store),
      budget_(budget),
      uploader_(uploader),
      open_(open),
      turns_(turns),
      bodies_(bodies),
      changes_(changes),
      access_times_(access_times),
      clock_(clock) {}

// ---- reading

Result<std::size_t> Data::Read(HandleId id, std::uint64_t offset, std::span<std::byte> out) {
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
void Data::NoteRead(OpenHandle& handle, Version const& version) {
  if ((handle.record.flags & O_NOATIME) != 0) return;
  auto const changes = version.changes();
  if (handle.read_at.exchange(changes) != changes) access_times_.Note(handle.file->inode);
}

Result<std::uint64_t> Data::Seek(HandleId id, std::uint64_t offset, int whence) {
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

// ---- writing

Result<Turn> Data::Write(Caller const& caller, HandleId id, std::uint64_t offset,
                         std::span<std::byte const> bytes, bool may_wait) {
  auto const handle = open_.Find(id);
  if (!handle || !handle->MayWrite()) return Fail(EBADF);
  auto& file = *handle->file;
  MutexLock lock(file.mutex);
  // Where no more fits, it is not written first: whoever tries again, under one name after another,
  // would fill the disk.
  if (may_wait && file.version && budget_.room() == Room::kNone) {
    if (auto const turn = TakeTurn(file, *handle, offset); !turn) return turn;
  }
  auto const size_before = file.version ? file.version->size() : Changes::kNoByte;
  if (auto const written = Change(file, *handle, caller, offset, bytes); !written) {
    changes_.NoteFailed(*handle, offset, written.error());
    return Failure(written.error());
  }
  auto const end = offset + bytes.size();
  changes_.NoteWritten(*handle, offset, end);
  if (!may_wait) return Turn::kGo;
  auto const turn = TakeTurn(file, *handle, offset);
  if (turn == Turn::kGo || offset < size_before) return turn;
  handle->unanswered[offset] = {size_before, end};
  if (!turn) TakeBack(file, *handle, offset);
  return turn;
}

Result<void> Data::Change(ActiveFile& file, OpenHandle& handle, Caller const& caller,
                          std::uint64_t offset, std::span<std::byte const> bytes) {
  auto const begun = changes_.Begin(file, handle, caller, true, offset);
  file.changed_from = std::min(file.changed_from, offset);
  if (!begun) return begun;
  if (caller.drops_privileges) {
    if (auto dropped = DropPrivilegesOnWrite(file); !dropped) return dropped;
  }
  return WriteBytes(file, offset, bytes);
}

Result<void> Data::WriteBytes(ActiveFile& file, std::uint64_t offset,
                              std::span<std::byte const> bytes) {
  while (true) {
    auto const written = file.version->Write(offset, bytes);
    if (!written) return Failure(written.error());
    if (!written->was_sent) {
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
    auto let_go = uploader_.LetGo(file.inode, *file.version, *written->was_sent);
    if (!let_go) return let_go;
  }
}

Result<void> Data::DropPrivilegesOnWrite(ActiveFile& file) {
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

Result<Turn> Data::TakeTurn(ActiveFile& file, OpenHandle& handle, std::uint64_t offset) {
  auto const& version = *file.version;
  auto const turn = turns_.Ask(version.id(), version.taken());
  if (turn != Turn::kFull) return turn;
  Error full{ENOSPC, "the spool is full"};
  if (auto const stuck = budget_.stuck(); stuck > 0) {
    full.context += ", and " + std::to_string(stuck) +
                    " bytes of it wait for somebody ('tusfsctl list' says which)";
  }
  changes_.NoteFailed(handle, offset, full);
  return Failure(full);
}

Result<Turn> Data::AskTurn(HandleId id, std::uint64_t offset) {
  auto const handle = open_.Find(id);
  if (!handle) return Turn::kGo;
  auto& file = *handle->file;
  MutexLock lock(file.mutex);
  auto const turn = TakeTurn(file, *handle, offset);
  if (!turn) TakeBack(file, *handle, offset);
  if (turn == Turn::kGo) handle->unanswered.erase(offset);
  return turn;
}

// Or whoever appends again has the bytes twice. What others have written since stays where it is.
void Data::TakeBack(ActiveFile& file, OpenHandle& handle, std::uint64_t offset) {
  auto const node = handle.unanswered.extract(offset);
  if (node.empty() || !file.version) return;
  auto const [size_before, end] = node.mapped();
  if (file.version->size() != end) return;
  // The write has failed already, and that it could not be taken back changes nothing about it.
  static_cast<void>(file.version->Truncate(size_before));
}

Result<void> Data::Allocate(Caller const& caller, HandleId id, int mode, std::uint64_t offset,
                            std::uint64_t length) {
  if (!IsKnownMode(mode)) return Fail(EOPNOTSUPP);
  auto const handle = open_.Find(id);
  if (!handle || !handle->MayWrite()) return Fail(EBADF);
  auto& file = *handle->file;
  MutexLock lock(file.mutex);
  bool const zeroes = (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) != 0;
  auto const first = zeroes ? offset : Changes::kNoByte;
  if (auto begun = changes_.Begin(file, *handle, caller, false, first); !begun) return begun;
  file.changed_from = std::min(file.changed_from, first);
  if (caller.uid != 0) {  // the kernel does not say whether the caller may keep them
    if (auto dropped = DropPrivilegesOnWrite(file); !dropped) return dropped;
  }
  return AllocateBytes(file, mode, offset, length);
}

Result<void> Data::AllocateBytes(ActiveFile& file, int mode, std::uint64_t offset,
                                 std::uint64_t length) {
  bool const takes = (mode & FALLOC_FL_PUNCH_HOLE) == 0;
  if (takes && length > budget_.limit() - std::min(budget_.limit(), budget_.used())) {
    return Fail(ENOSPC, "the spool has no room for what is to be allocated");
  }
  while (true) {
    auto const allocated = file.version->Allocate(mode, offset, length);
    if (!allocated) return Failure(allocated.error());
    if (!allocated->was_sent) {
      file.version->SetModified(clock_.Wall());
      return {};
    }
    auto let_go = uploader_.LetGo(file.inode, *file.version, *allocated->was_sent);
    if (!let_go) return let_go;
  }
}

Result<void> Data::SetSize(ActiveFile& file, Caller const& caller, std::uint64_t size,
                           HandleId handle_id) {
  auto inode = store_.Read([&](View const& view) { return GetInode(view, file.inode); });
  if (!inode) return Failure(inode.error());
  if (inode->type == FileType::kDirectory) return Fail(EISDIR);
  if (inode->type != FileType::kRegular) return Fail(EINVAL);
  // An earlier process died over this very request when the disk had the size already: what it had
  // begun has to be ended.
  bool const is_unended = life::IsBeingWritten(*inode) && open_.Count(file.inode).writing == 0;
  auto const handle = open_.Find(handle_id);
  if (handle && handle->record.inode == file.inode) {
    auto begun = changes_.Begin(file, *handle, caller, false, Changes::kNoByte);
    if (!begun) return begun;
  }
  if (size > 0) {
    if (auto restored = bodies_.Restore(file, *inode); !restored) return restored;
  } else if (inode->version != 0) {
    // Bytes that are missing are not needed either.
    static_cast<void>(bodies_.Load(file, *inode));
  }
  if (file.version && file.version->size() == size && !is_unended) {
    file.version->SetModified(clock_.Wall());
    return {};
  }
  return bodies_.Resize(file, size);
}

// ---- syncing

Result<void> Data::Sync(HandleId id) {
  auto const handle = open_.Find(id);
  if (!handle) return Fail(EBADF);
  auto& file = *handle->file;
  auto const promise = BeginSync(file);
  if (!promise.version) return store_.Sync();
  // Not under the lock: a disk may take long.
  auto const synced = promise.version->Sync();
  if (auto noted = NoteSynced(file, promise, synced); !noted) return noted;
  return synced ? store_.Sync() : synced;
}

Data::Promise Data::BeginSync(ActiveFile& file) {
  MutexLock lock(file.mutex);
  if (!file.version) return {};
  Promise promise{file.version, 0, 0};
  promise.changes = file.version->changes();
  promise.size = file.version->size();
  if (file.syncs++ == 0) file.changed_from = ActiveFile::kNotKnown;
  return promise;
}

Result<void> Data::NoteSynced(ActiveFile& file, Promise const& promise,
                              Result<void> const& synced) {
  auto const& version = promise.version;
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
      inode->synced_size = std::min(promise.size, inode->size);
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
  if (synced) file.synced_at = {version->id(), promise.changes};
  return {};
}

}  // namespace tusfs
