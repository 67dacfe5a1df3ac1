#include "filesystem/changes.h"

#include "catalog/life.h"
#include "catalog/tables.h"
#include "filesystem/bodies.h"

namespace tusfs {
namespace {

// What a handle is after a change by `writer`, or by nobody that can be seen.
Handle Changed(Handle record, pid_t writer, bool is_write) {
  // Whoever opened it has no say once somebody writes.
  bool const is_first_write = is_write && !record.wrote;
  if (is_first_write && writer != 0) record.writers.clear();
  if (writer != 0) record.writers.insert(writer);
  record.changed = record.dirty = true;
  record.wrote = record.wrote || is_write;
  return record;
}

}  // namespace

Result<void> Changes::Begin(ActiveFile& file, OpenHandle& handle, Caller const& caller,
                            bool is_write, std::uint64_t first) {
  auto const& record = handle.record;
  bool const is_first_write = is_write && !record.wrote;
  auto const writer = WriterOf(handle, caller, is_first_write);
  bool const is_known = writer == 0 || record.writers.contains(writer);
  bool const is_on_record = record.changed && record.dirty && !is_first_write && is_known;
  bool const is_vouched = first < file.vouched;
  if (!is_on_record || file.may_be_renamed || is_vouched) {
    auto next = Changed(record, writer, is_write);
    // From here on a successor takes the size from the disk.
    if (auto dropped = file.version->DropTail(); !dropped) return dropped;
    auto const synced_size = Journal(file, next, first);
    if (!synced_size) return Failure(synced_size.error());
    if (is_vouched) {
      if (auto unvouched = Unvouch(file, first, *synced_size); !unvouched) return unvouched;
    }
    handle.Update(std::move(next));
  }
  if (writer != 0) handle.last_thread = caller.pid;
  return {};
}

pid_t Changes::WriterOf(OpenHandle const& handle, Caller const& caller, bool is_first_write) const {
  if (caller.pid <= 0) return 0;  // writes of the kernel's own (mmap) have no process
  if (!is_first_write && caller.pid == handle.last_thread) return 0;
  auto const& writers = handle.record.writers;
  return writers.contains(caller.pid) ? caller.pid : processes_.ProcessOf(caller.pid);
}

Result<std::uint64_t> Changes::Journal(ActiveFile& file, Handle const& next, std::uint64_t first) {
  return store_.Update([&](Transaction& transaction) -> Result<std::uint64_t> {
    auto inode = GetInode(transaction, file.inode);
    if (!inode) return Failure(inode.error());
    if (auto changeable = CheckChangeable(transaction, *inode); !changeable) {
      return Failure(changeable.error());
    }
    PutHandle(transaction, next);
    auto const synced_size = inode->synced_size;
    bool const rewrites = first < synced_size && inode->rewrite != Rewrite::kBegun;
    bool const begins = !life::IsBeingWritten(*inode) && !life::HasFailed(*inode);
    if (begins || rewrites || inode->renamed || inode->approved) {
      ForgetDecisions(*inode);
      life::Change(*inode);
      if (rewrites) inode->rewrite = Rewrite::kBegun;
      PutInode(transaction, *inode);
    }
    file.may_be_renamed = false;  // inside the transaction, so that a rename is before it or behind
    return synced_size;
  });
}

// Should the power be cut, a catalog that calls the bytes finished, or a part of them synced, must
// not be what comes back with other bytes: it is made durable before the first of these is written
// over, once for each time that the file is opened.
Result<void> Changes::Unvouch(ActiveFile& file, std::uint64_t first, std::uint64_t synced_size) {
  if (first >= synced_size) {
    file.vouched = synced_size;
    return {};
  }
  if (auto synced = store_.Sync(); !synced) return synced;
  file.vouched = 0;
  return {};
}

// Many programs close a file whose write failed (a full disk) like a good one.
void Changes::NoteFailed(OpenHandle& handle, std::uint64_t offset, Error const& error) {
  auto& record = handle.record;
  if (!record.failed_write) record.failed_write = offset;
  record.verdict = Verdict::kDied;
  record.reason = "a write to it failed: " + Describe(error);
  Keep(record);
}

void Changes::NoteWritten(OpenHandle& handle, std::uint64_t begin, std::uint64_t end) {
  auto& failed = handle.record.failed_write;
  if (!failed || *failed < begin || *failed >= end) return;
  failed.reset();  // written after all
  Keep(handle.record);
}

void Changes::Keep(Handle const& record) {
  auto const kept = store_.Update([&](Transaction& transaction) -> Result<void> {
    PutHandle(transaction, record);
    return {};
  });
  if (!kept) logger_->Warn("failed write not journaled error=\"{}\"", Describe(kept.error()));
}

}  // namespace tusfs
