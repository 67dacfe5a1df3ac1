#include "filesystem/takeover.h"

#include <cerrno>
#include <limits>
#include <unordered_set>

#include "base/text.h"
#include "catalog/life.h"
#include "catalog/namespace.h"
#include "catalog/tables.h"

namespace tusfs {
namespace {

// `is_ahead`: something was changed through a handle that is still open, so that the disk knows
// more than the catalog. It knows nothing else: see Version::DropTail. Null for a stub.
Result<std::shared_ptr<Version>> FindVersion(Store& store, Spool& spool, InodeId id,
                                             bool is_ahead) {
  auto const inode = store.Read([&](View const& view) { return GetInode(view, id); });
  if (!inode && inode.error().code == ENOENT) return Fail(ENOENT, "the catalog does not know it");
  if (!inode) return Failure(inode.error());
  if (inode->version == 0 && life::IsUploaded(*inode)) return nullptr;
  is_ahead = is_ahead || life::IsBeingWritten(*inode);
  auto version =
      spool.Find(inode->version, is_ahead ? Spool::kAsOnDisk : inode->size, inode->trimmed);
  if (!version && version.error().code == ENOENT) {
    return Fail(ENOENT, "its bytes are missing from the spool");
  }
  if (!version || !is_ahead) return version;
  auto const modified = (*version)->ModifiedOnDisk();
  if (!modified) return Failure(modified.error());
  if (*modified > inode->changed) (*version)->SetModified(*modified);
  return version;
}

Result<void> Reopen(Store& store, Spool& spool, OpenFiles& open, Handle record, bool is_ahead) {
  auto const pin = open.Activate(record.inode);
  auto& file = *pin.file();
  MutexLock lock(file.mutex);
  if (!file.version) {
    auto version = FindVersion(store, spool, file.inode, is_ahead);
    if (!version) return Failure(version.error());
    file.version = *std::move(version);
  }
  auto handle = std::make_shared<OpenHandle>();
  handle->record = std::move(record);
  handle->file = pin.file();
  open.Add(std::move(handle));
  return {};
}

Result<void> GiveUp(Store& store, Handle const& record, std::string const& why) {
  return store.Update([&](Transaction& transaction) -> Result<void> {
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

}  // namespace

Result<void> ReopenFiles(Store& store, Spool& spool, OpenFiles& open, std::uint64_t connection,
                         Logger const& logger) {
  auto const handles = store.Read([](View const& view) { return ListHandles(view); });
  if (!handles) return Failure(handles.error());
  std::unordered_set<InodeId> changed;
  for (auto const& handle : *handles) {
    if (handle.changed) changed.insert(handle.inode);
  }
  for (auto const& handle : *handles) {
    if (handle.connection != connection) continue;
    auto const reopened = Reopen(store, spool, open, handle, changed.contains(handle.inode));
    if (reopened) continue;
    auto const& error = reopened.error();
    // Anything else (too many open files) may be better the next time: nothing is given up for it.
    if (error.code != ENOENT && error.code != EUCLEAN) return reopened;
    auto const path = PathForLog(store, handle.inode);
    logger->Tell(LogLevel::kError, {.file = path},
                 "an open file cannot be gone on with path=\"{}\" error=\"{}\"", Printable(path),
                 Describe(error));
    if (auto given_up = GiveUp(store, handle, Describe(error)); !given_up) return given_up;
  }
  return {};
}

}  // namespace tusfs
