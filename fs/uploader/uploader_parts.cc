// Uploader: the jobs of files that go in parts (transfer_parts.cc says how they go).
#include <algorithm>

#include "base/text.h"
#include "catalog/namespace.h"
#include "catalog/parts.h"
#include "catalog/tables.h"
#include "uploader/uploader.h"

namespace tusfs {
namespace {

JobKey KeyOf(Uuid const& part) { return {.inode = 0, .upload = part}; }

}  // namespace

void Uploader::SchedulePart(InodeId inode, Uuid const& part) {
  queue_.Schedule(KeyOf(part), clock_.Steady(), 0);
  auto const since = queue_.DueSince({.inode = inode, .upload = {}});
  if (since) queue_.HasWaited(KeyOf(part), *since);
  bool const may_differ = priorities_.HasAny() || rules_.by_path.SaysPriorities();
  if (may_differ) queue_.Prefer(KeyOf(part), PriorityOf(inode));
}

void Uploader::CancelParts(Uuid const& whole) {
  auto const parts = store_.Read([&](View const& view) { return ListParts(view, whole); });
  // Where the catalog fails, each finds out for itself.
  if (!parts) return;
  for (auto const& part : *parts) queue_.Cancel(KeyOf(part.id));
}

std::vector<Uuid> Uploader::PartsOf(InodeId inode) const {
  auto const parts = store_.Read([&](View const& view) -> Result<std::vector<Upload>> {
    auto const record = GetInode(view, inode);
    if (!record) return Failure(record.error());
    return ListParts(view, record->upload);
  });
  std::vector<Uuid> ids;
  for (auto const& part : parts.value_or(std::vector<Upload>{})) ids.push_back(part.id);
  return ids;
}

Result<bool> Uploader::GoesInParts(InodeId inode) const {
  return store_.Read([&](View const& view) -> Result<bool> {
    auto const record = GetInode(view, inode);
    if (!record) return Failure(record.error());
    auto const upload = FindUpload(view, record->upload);
    if (!upload) return Failure(upload.error());
    return *upload && (*upload)->phase == UploadPhase::kParts;
  });
}

std::vector<JobKey> Uploader::BlockParts(InodeId inode, std::vector<Upload> const& all,
                                         ByteRange const& range) {
  std::vector<JobKey> blocked;
  for (auto const& id : in_flight_.PartsOf(inode)) {
    auto const found = std::ranges::find(all, id, &Upload::id);
    if (found == all.end() || RangeOf(*found).Overlaps(range)) blocked.push_back(KeyOf(id));
  }
  // All of them at once, so that whoever waits waits for the slowest only.
  for (auto const& part : blocked) queue_.Cancel(part);
  for (auto const& part : blocked) queue_.Block(part);
  return blocked;
}

// The file's own job is blocked, so that there are no new ones meanwhile.
Result<void> Uploader::LetGoOfParts(InodeId inode, Version& version, ByteRange const& range) {
  auto parts = store_.Read([&](View const& view) -> Result<std::vector<Upload>> {
    auto const record = GetInode(view, inode);
    if (!record) return Failure(record.error());
    return ListParts(view, record->upload);
  });
  if (!parts) return Failure(parts.error());
  auto const blocked = BlockParts(inode, *parts, range);
  std::erase_if(*parts, [&](Upload const& part) { return !RangeOf(part).Overlaps(range); });
  auto const ownerless = TakeAwayParts(inode, version, *parts);
  for (auto const& part : blocked) queue_.Unblock(part, false);
  if (!ownerless) return Failure(ownerless.error());
  version.Release(range);  // of what is in none of them nothing is sent
  if (!parts->empty()) {
    auto const path = PathForLog(store_, inode);
    logger_->Tell(LogLevel::kInfo, {.file = path},
                  "sent bytes of a file are being changed, parts of it start over path=\"{}\" "
                  "parts={}",
                  Printable(path), parts->size());
  }
  for (auto const& part : *ownerless) Terminate(part);
  return {};
}

Result<std::vector<Uuid>> Uploader::TakeAwayParts(InodeId inode, Version& version,
                                                  std::vector<Upload> const& parts) {
  auto taken = store_.Update([&](Transaction& transaction) -> Result<std::vector<Uuid>> {
    auto const record = GetInode(transaction, inode);
    if (!record) return Failure(record.error());
    auto const whole = FindUpload(transaction, record->upload);
    if (!whole) return Failure(whole.error());
    if (record->version != version.id() || !*whole) return std::vector<Uuid>();
    return tusfs::TakeAwayParts(transaction, **whole, parts, PartsChanged::kYes);
  });
  // Nobody sends them meanwhile.
  for (auto const& part : parts) {
    if (taken) version.Release(RangeOf(part));
  }
  return taken;
}

}  // namespace tusfs
