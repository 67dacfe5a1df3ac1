// Filesystem: going on where a daemon was killed, on the connection that it had.
#include <cerrno>
#include <limits>
#include <unordered_set>

#include "catalog/life.h"
#include "catalog/tables.h"
#include "filesystem/filesystem.h"

namespace tusfs {
namespace {

constexpr auto kAsOnDisk = std::numeric_limits<std::uint64_t>::max();

}  // namespace

Result<void> Filesystem::TakeOver() {
  auto const handles = store_.Read([](View const& view) { return ListHandles(view); });
  if (!handles) return Failure(handles.error());
  std::unordered_set<InodeId> changed;
  for (auto const& handle : *handles) {
    if (handle.changed) changed.insert(handle.inode);
  }
  for (auto const& handle : *handles) {
    if (handle.connection != replies_.connection()) continue;
    auto const reopened = Reopen(handle, changed.contains(handle.inode));
    if (reopened) continue;
    auto const& error = reopened.error();
    // Anything else (too many open files) may be better the next time: nothing is given up for it.
    if (error.code != ENOENT && error.code != EUCLEAN) return reopened;
    logger_->Error("an open file cannot be gone on with inode={} error=\"{}\"", handle.inode,
                   Describe(error));
    if (auto given_up = GiveUp(handle, Describe(error)); !given_up) return given_up;
  }
  return {};
}

// `is_ahead`: something was changed through a handle that is still open, so that the disk knows
// more than the catalog. It knows nothing else: see Version::DropTail.
Result<void> Filesystem::Reopen(Handle record, bool is_ahead) {
  auto const pin = open_.Activate(record.inode);
  auto& file = *pin.file();
  MutexLock lock(file.mutex);
  if (!file.version) {
    auto const inode = store_.Read([&](View const& view) { return GetInode(view, file.inode); });
    if (!inode && inode.error().code == ENOENT) {
      return Fail(ENOENT, "the catalog does not know it");
    }
    if (!inode) return Failure(inode.error());
    is_ahead = is_ahead || life::IsBeingWritten(*inode);
    bool const is_stub = inode->version == 0 && life::IsUploaded(*inode);
    auto version =
        is_stub ? Result<std::shared_ptr<Version>>(nullptr)
                : spool_.Find(inode->version, is_ahead ? kAsOnDisk : inode->size, inode->trimmed);
    if (!version && version.error().code == ENOENT) {
      return Fail(ENOENT, "its bytes are missing from the spool");
    }
    if (!version) return Failure(version.error());
    if (is_ahead && *version) {
      auto const modified = (*version)->ModifiedOnDisk();
      if (!modified) return Failure(modified.error());
      if (*modified > inode->changed) (*version)->SetModified(*modified);
    }
    file.version = std::move(*version);
  }
  auto handle = std::make_shared<OpenHandle>();
  handle->record = std::move(record);
  handle->file = pin.file();
  open_.Add(std::move(handle));
  return {};
}

Result<void> Filesystem::GiveUp(Handle const& record, std::string const& why) {
  return store_.Update([&](Transaction& transaction) -> Result<void> {
    DeleteHandle(transaction, record.id);
    auto inode = GetInode(transaction, record.inode);
    // Without its handle nobody would end it.
    if (inode && life::IsBeingWritten(*inode)) {
      life::Fail(*inode, why);
      PutInode(transaction, *inode);
    }
    return {};
  });
}

}  // namespace tusfs
