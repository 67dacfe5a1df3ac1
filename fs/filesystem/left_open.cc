#include "filesystem/left_open.h"

#include <fcntl.h>

#include <cerrno>
#include <limits>
#include <optional>

#include "catalog/life.h"

namespace tusfs {
namespace {

bool MayWrite(Handle const& handle) {
  return (handle.flags & static_cast<std::uint32_t>(O_ACCMODE)) != O_RDONLY;
}

// As its RELEASE would have judged it (Filesystem::Release).
std::optional<std::string> WhyNotClosed(Handle const& handle, bool publish_unknown) {
  if (!handle.changed) return std::nullopt;
  if (handle.dirty && handle.wrote && !publish_unknown) {
    return "nobody who wrote to it has closed it";
  }
  if (handle.verdict == Verdict::kClean || handle.reason.empty()) return std::nullopt;
  return handle.reason;
}

std::optional<std::string> WhyOpen(Handle const& handle, bool publish_unknown) {
  if (!MayWrite(handle)) return WhyNotClosed(handle, publish_unknown);
  if (handle.verdict == Verdict::kDied && !handle.dirty) return handle.reason;
  return "it was still open when the mount ended";
}

// A close is the handle's end where the program that opened it made it; another one may have
// written through a descriptor that it was given, as the commands of a shell do.
std::optional<std::string> WhyUnknown(Handle const& handle) {
  if (!handle.changed) return std::nullopt;
  if (handle.dirty) return "it was being written when the mount ended";
  if (handle.verdict != Verdict::kClean) return handle.reason;
  bool const by_another = handle.opener != 0 && !handle.writers.contains(handle.opener);
  if (by_another) return "the program that opened it had not closed it when the mount ended";
  return std::nullopt;
}

// The version as it is: writes reach it before the catalog.
Result<void> TakeFromDisk(Spool& spool, Inode& inode) {
  auto const version = spool.Find(inode.version, Spool::kAsOnDisk, inode.trimmed);
  if (!version) return Failure(version.error());
  auto modified = (*version)->modified();
  if (!modified && (*version)->size() != inode.size) {
    auto const on_disk = (*version)->ModifiedOnDisk();
    if (!on_disk) return Failure(on_disk.error());
    modified = *on_disk;
  }
  if (modified) inode.modified = inode.changed = *modified;
  inode.size = (*version)->size();
  return {};
}

}  // namespace

Result<Unfinished> JudgeHandles(View const& view, HandlesLeft left, bool publish_unknown) {
  auto const handles = ListHandles(view);
  if (!handles) return Failure(handles.error());
  Unfinished unfinished;
  for (auto const& handle : *handles) {
    std::optional<std::string> why;
    switch (left) {
      case HandlesLeft::kClosed:
        why = WhyNotClosed(handle, publish_unknown);
        break;
      case HandlesLeft::kOpen:
        why = WhyOpen(handle, publish_unknown);
        break;
      case HandlesLeft::kUnknown:
        why = WhyUnknown(handle);
        break;
    }
    if (why) unfinished[handle.inode] = *std::move(why);
  }
  return unfinished;
}

void EndWriting(Spool& spool, Unfinished const& unfinished, Inode& inode) {
  if (!life::IsBeingWritten(inode)) return;
  if (auto taken = TakeFromDisk(spool, inode); !taken) {
    life::Fail(inode, "its bytes are missing from the spool: " + Describe(taken.error()));
    return;
  }
  auto const found = unfinished.find(inode.id);
  life::EndConnection(inode,
                      found == unfinished.end() ? std::nullopt : std::optional(found->second));
}

Result<void> ChangeWork(Store& store,
                        std::function<Result<void>(Transaction&, Inode&)> const& change) {
  InodeId after = 0;
  while (true) {
    auto const page = store.Read([&](View const& view) { return ListWork(view, after, kPage); });
    if (!page) return Failure(page.error());
    if (page->empty()) return {};
    after = page->back();
    auto const changed = store.Update([&](Transaction& transaction) -> Result<void> {
      for (auto const id : *page) {
        auto inode = GetInode(transaction, id);
        if (!inode) return Failure(inode.error());
        auto const before = *inode;
        if (auto done = change(transaction, *inode); !done) return done;
        if (Encode(*inode) == Encode(before)) continue;  // most of a long queue
        PutInode(transaction, *inode);
      }
      return {};
    });
    if (!changed) return changed;
  }
}

Result<std::vector<VersionId>> RemoveNameless(Store& store) {
  std::vector<VersionId> versions;
  auto const handles = store.Read([](View const& view) { return ListHandles(view); });
  if (!handles) return Failure(handles.error());
  for (auto const& handle : *handles) {
    VersionId version = 0;
    auto const removed = store.Update([&](Transaction& transaction) -> Result<void> {
      auto inode = GetInode(transaction, handle.inode);
      if (!inode && inode.error().code == ENOENT) return {};  // open more than once
      if (!inode) return Failure(inode.error());
      if (inode->links > 0) return {};
      version = inode->version;
      auto detached = DetachUpload(transaction, *inode);
      if (!detached) return Failure(detached.error());
      return DeleteInode(transaction, *inode);
    });
    if (!removed) return Failure(removed.error());
    if (version != 0) versions.push_back(version);
  }
  return versions;
}

}  // namespace tusfs
