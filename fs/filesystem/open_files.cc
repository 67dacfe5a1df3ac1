#include "filesystem/open_files.h"

#include <fcntl.h>

#include <utility>

namespace tusfs {

bool OpenHandle::MayWrite() const {
  return (record.flags & static_cast<std::uint32_t>(O_ACCMODE)) != O_RDONLY;
}

void OpenHandle::Update(Handle next) {
  record.changed = next.changed;
  record.wrote = next.wrote;
  record.dirty = next.dirty;
  record.failed_write = next.failed_write;
  record.verdict = next.verdict;
  record.reason = std::move(next.reason);
  record.writers = std::move(next.writers);
  record.beside_bad = next.beside_bad;
}

OpenFiles::Pin OpenFiles::Activate(InodeId inode) {
  MutexLock lock(mutex_);
  auto& row = files_[inode];
  if (!row.file) row.file = std::make_shared<ActiveFile>(inode);
  ++row.pins;
  return Pin(*this, row.file);
}

void OpenFiles::Unpin(InodeId inode) {
  MutexLock lock(mutex_);
  auto const found = files_.find(inode);
  if (--found->second.pins == 0 && found->second.count.handles == 0) files_.erase(found);
}

std::shared_ptr<ActiveFile> OpenFiles::FindFile(InodeId inode) const {
  MutexLock lock(mutex_);
  auto const found = files_.find(inode);
  return found == files_.end() ? nullptr : found->second.file;
}

void OpenFiles::Add(std::shared_ptr<OpenHandle> handle) {
  MutexLock lock(mutex_);
  auto& row = files_[handle->record.inode];
  if (!row.file) row.file = handle->file;
  ++row.count.handles;
  if (handle->MayWrite()) ++row.count.writing;
  handles_.emplace(handle->record.id, std::move(handle));
}

std::shared_ptr<OpenHandle> OpenFiles::Find(HandleId id) const {
  MutexLock lock(mutex_);
  auto const found = handles_.find(id);
  return found == handles_.end() ? nullptr : found->second;
}

OpenFiles::Left OpenFiles::Remove(OpenHandle const& handle) {
  MutexLock lock(mutex_);
  auto const found = files_.find(handle.record.inode);
  if (handles_.erase(handle.record.id) == 0 || found == files_.end()) return {};
  auto& count = found->second.count;
  --count.handles;
  if (handle.MayWrite()) --count.writing;
  auto const left = count;
  if (left.handles == 0 && found->second.pins == 0) files_.erase(found);
  return left;
}

std::vector<std::shared_ptr<OpenHandle>> OpenFiles::Writing(InodeId inode) const {
  MutexLock lock(mutex_);
  std::vector<std::shared_ptr<OpenHandle>> writing;
  for (auto const& [id, handle] : handles_) {
    if (handle->file->inode == inode && handle->MayWrite()) writing.push_back(handle);
  }
  return writing;
}

OpenFiles::Left OpenFiles::Count(InodeId inode) const {
  MutexLock lock(mutex_);
  auto const found = files_.find(inode);
  return found == files_.end() ? Left{} : found->second.count;
}

}  // namespace tusfs
