// Filesystem: making room in the spool, and how much there is.
#include <algorithm>
#include <cerrno>

#include "base/block_digest.h"
#include "catalog/give_up.h"
#include "catalog/kept.h"
#include "catalog/life.h"
#include "catalog/namespace.h"
#include "catalog/tables.h"
#include "filesystem/filesystem.h"

namespace tusfs {
namespace {

// What is complete, or knows its length, cannot become a longer file's.
Result<std::optional<Uuid>> DetachEnded(Transaction& transaction, Inode& inode) {
  auto const upload = FindUpload(transaction, inode.upload);
  if (!upload) return Failure(upload.error());
  bool const has_ended = *upload && ((*upload)->length || life::HasEnded((*upload)->phase));
  if (!has_ended) return std::optional<Uuid>();
  if (auto const kept = WhyNotGivenUp(inode, **upload, GiveUpFor::kOtherBytes)) {
    return Fail(EIO, "what was sent of it cannot be changed any more: " + *kept);
  }
  return DetachUpload(transaction, inode);
}

}  // namespace

Result<Spool::Space> Filesystem::MeasureSpace() const {
  auto space = spool_.Measure();
  if (!space) return space;
  auto const& budget = spool_.budget();
  auto const used = budget.used();
  space->capacity = budget.limit();
  auto const evictable = std::min<std::uint64_t>(evictable_, used);
  auto const taken = std::min(space->capacity, used - evictable);
  space->free = space->capacity - taken;
  return space;
}

Result<bool> Filesystem::Evict(InodeId id) {
  return store_.Update([&](Transaction& transaction) -> Result<bool> {
    auto inode = GetInode(transaction, id);
    if (!inode && inode.error().code == ENOENT) return false;
    if (!inode) return Failure(inode.error());
    // Whoever opens it is seen here first, or sees that the bytes are gone.
    bool const in_use = open_.FindFile(id) != nullptr;
    if (in_use || !life::IsUploaded(*inode) || inode->version == 0) return false;
    removal_.RemoveBytesWhenDurable(transaction, inode->version);
    inode->version = 0;
    inode->trimmed = 0;
    PutInode(transaction, *inode);
    return true;
  });
}

Result<std::uint64_t> Filesystem::Trim(InodeId id) {
  VersionId version_id = 0;
  std::uint64_t size = 0;
  std::uint64_t before = 0;
  auto const end = store_.Update([&](Transaction& transaction) -> Result<std::uint64_t> {
    auto inode = GetInode(transaction, id);
    if (!inode && inode.error().code == ENOENT) return std::uint64_t{0};
    if (!inode) return Failure(inode.error());
    auto const upload = FindUpload(transaction, inode->upload);
    if (!upload) return Failure(upload.error());
    if (!life::GoesOn(*inode) || !*upload || (*upload)->phase != UploadPhase::kCreated)
      return std::uint64_t{0};
    // One whose length was declared to be another cannot become this file.
    bool const fits =
        !(*upload)->length || (life::IsFinished(*inode) && *(*upload)->length == inode->size);
    if (!fits) return std::uint64_t{0};
    // Whole digest blocks: the one in which the next PATCH begins is hashed from its start.
    auto const confirmed = (*upload)->offset / kDigestBlock * kDigestBlock;
    if (confirmed <= inode->trimmed) return std::uint64_t{0};
    version_id = inode->version;
    size = inode->size;
    before = inode->trimmed;
    inode->trimmed = confirmed;
    PutInode(transaction, *inode);
    return confirmed;
  });
  if (!end || *end == 0) return end;
  // Bytes go last.
  if (auto synced = store_.Sync(); !synced) return Failure(synced.error());
  auto const version = spool_.Find(version_id, size, before);
  if (!version && version.error().code == ENOENT) return std::uint64_t{0};  // removed meanwhile
  if (!version) return Failure(version.error());
  if (auto trimmed = (*version)->TrimTo(*end); !trimmed) return Failure(trimmed.error());
  return *end - before;
}

Result<bool> Filesystem::RemoveFile(
    InodeId id, std::function<Result<bool>(Transaction&, Inode const&)> const& may_go) {
  Removal::Aftermath aftermath;
  auto const removed = store_.Update([&](Transaction& transaction) -> Result<bool> {
    auto inode = GetInode(transaction, id);
    if (!inode && inode.error().code == ENOENT) return false;
    if (!inode) return Failure(inode.error());
    auto const may = may_go(transaction, *inode);
    if (!may || !*may) return may;
    auto const names_gone = removal_.RemoveNames(transaction, *inode);
    if (!names_gone) return Failure(names_gone.error());
    aftermath = *names_gone;
    return true;
  });
  if (removed && *removed) removal_.Tell(aftermath);
  return removed;
}

Result<bool> Filesystem::Expire(InodeId id, FileTime time) {
  return RemoveFile(id, [&](Transaction&, Inode const& inode) -> Result<bool> {
    return WasUploadedBefore(inode, time) && open_.FindFile(id) == nullptr;
  });
}

Result<bool> Filesystem::DiscardFile(InodeId id) {
  VersionId version = 0;
  auto discarded = RemoveFile(id, [&](Transaction&, Inode const& inode) -> Result<bool> {
    if (inode.type != FileType::kRegular || life::IsUploaded(inode)) return false;
    version = inode.version;
    return true;
  });
  if (discarded && *discarded) turns_.Refuse(version);
  return discarded;
}

Result<std::optional<Uuid>> Filesystem::EndCut(Transaction& transaction, Inode& inode, bool take) {
  auto const version = spool_.Find(inode.version, inode.size, inode.trimmed);
  if (!version) return Failure(version.error());
  bool const grows = take && inode.held > 0;
  auto ownerless =
      grows ? DetachEnded(transaction, inode) : Result<std::optional<Uuid>>(std::nullopt);
  if (!ownerless) return ownerless;
  if (take) {
    auto const size = (*version)->TakeTail();
    if (!size) return Failure(size.error());
    inode.synced = inode.synced && *size == inode.size;
    inode.size = *size;
  } else if (auto dropped = (*version)->DropTail(); !dropped) {
    return Failure(dropped.error());
  }
  inode.size_before = inode.held = 0;
  return ownerless;
}

}  // namespace tusfs
