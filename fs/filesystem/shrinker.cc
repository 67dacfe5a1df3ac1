#include "filesystem/shrinker.h"

#include <algorithm>
#include <cerrno>
#include <functional>
#include <iterator>
#include <utility>

#include "base/block_digest.h"
#include "base/text.h"
#include "catalog/give_up.h"
#include "catalog/kept.h"
#include "catalog/life.h"
#include "catalog/namespace.h"
#include "catalog/tables.h"
#include "uploader/target.h"

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

// Bytes from 0 on that may go of an unfinished file, because nobody will ask for them here again.
std::uint64_t MayBeTrimmed(Inode const& inode, std::optional<Upload> const& upload) {
  if (!life::GoesOn(inode) || !upload || upload->phase != UploadPhase::kCreated) return 0;
  // One whose length was declared to be another cannot become this file.
  bool const fits = !upload->length || (life::IsFinished(inode) && *upload->length == inode.size);
  if (!fits) return 0;
  // Whole digest blocks: the one in which the next PATCH begins is hashed from its start.
  return upload->offset / kDigestBlock * kDigestBlock;
}

bool WaitsForSomebody(Inode const& inode, std::string const& path,
                      std::optional<Upload> const& upload, PublishRules const& rules) {
  switch (inode.content) {
    case Content::kSettling: {
      auto const hold = rules.HoldOf(inode, path);
      return hold != Hold::kNone && hold != Hold::kCommand && hold != Hold::kWritten;
    }
    case Content::kInterrupted:
      return !rules.Settles(inode);
    case Content::kFinished:
      if (rules.IgnoredBy(path) && !MayBePublished(upload)) return true;
      return upload && (upload->phase == UploadPhase::kUnconfirmed ||
                        (upload->phase == UploadPhase::kRefused && !upload->error.empty()));
    case Content::kFailed:
    case Content::kWriting:
    case Content::kUploaded:
      break;
  }
  return true;
}

}  // namespace

Shrinker::Shrinker(Store& store, Spool& spool, OpenFiles const& open, Turns& turns,
                   Removal& removal, PublishRules const& rules, Logger logger)
    : store_(store),
      spool_(spool),
      open_(open),
      turns_(turns),
      removal_(removal),
      rules_(rules),
      logger_(std::move(logger)) {}

Result<Spool::Space> Shrinker::MeasureSpace() const {
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

// ---- bytes

Result<bool> Shrinker::Evict(InodeId id) {
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

Result<std::uint64_t> Shrinker::Trim(InodeId id) {
  auto const going =
      store_.Update([&](Transaction& transaction) { return NoteTrimmed(transaction, id); });
  if (!going) return Failure(going.error());
  if (going->version == 0) return std::uint64_t{0};
  // Bytes go last.
  if (auto synced = store_.Sync(); !synced) return Failure(synced.error());
  auto const version = spool_.Find(going->version, going->size, going->before);
  if (!version && version.error().code == ENOENT) return std::uint64_t{0};  // removed meanwhile
  if (!version) return Failure(version.error());
  if (auto trimmed = (*version)->TrimTo(going->end); !trimmed) return Failure(trimmed.error());
  return going->end - going->before;
}

Result<Shrinker::Trimmed> Shrinker::NoteTrimmed(Transaction& transaction, InodeId id) {
  auto inode = GetInode(transaction, id);
  if (!inode && inode.error().code == ENOENT) return Trimmed{};
  if (!inode) return Failure(inode.error());
  auto const upload = FindUpload(transaction, inode->upload);
  if (!upload) return Failure(upload.error());
  auto const end = MayBeTrimmed(*inode, *upload);
  if (end <= inode->trimmed) return Trimmed{};
  Trimmed const trimmed{inode->version, inode->size, inode->trimmed, end};
  inode->trimmed = end;
  PutInode(transaction, *inode);
  return trimmed;
}

Result<std::optional<Uuid>> Shrinker::EndCut(Transaction& transaction, Inode& inode, bool take) {
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
  } else {
    // Bytes go last. Whoever changes the file before that drops them too.
    transaction.WhenDurable([version = *version, logger = logger_] {
      if (auto dropped = version->DropTail(); !dropped) {
        logger->Warn(
            "the rest of a cut file takes room until it is changed or removed error=\"{}\"",
            Describe(dropped.error()));
      }
    });
  }
  inode.size_before = inode.held = 0;
  return ownerless;
}

// ---- files

Result<bool> Shrinker::RemoveFile(
    InodeId id, Fate fate, std::function<Result<bool>(Transaction&, Inode const&)> const& may_go) {
  Removal::Aftermath aftermath;
  auto const removed = store_.Update([&](Transaction& transaction) -> Result<bool> {
    auto const inode = GetInode(transaction, id);
    if (!inode && inode.error().code == ENOENT) return false;
    if (!inode) return Failure(inode.error());
    auto const may = may_go(transaction, *inode);
    if (!may || !*may) return may;
    auto const left = removal_.RemoveNames(transaction, *inode, fate);
    if (!left) return Failure(left.error());
    aftermath = *left;
    return true;
  });
  if (removed && *removed) removal_.Tell(aftermath);
  return removed;
}

Result<bool> Shrinker::Expire(InodeId id, FileTime time) {
  return RemoveFile(id, Fate::kRemoved, [&](Transaction&, Inode const& inode) -> Result<bool> {
    return WasUploadedBefore(inode, time) && open_.FindFile(id) == nullptr;
  });
}

Result<bool> Shrinker::Discard(InodeId id) {
  VersionId version = 0;
  auto discarded =
      RemoveFile(id, Fate::kDiscarded, [&](Transaction&, Inode const& inode) -> Result<bool> {
        if (inode.type != FileType::kRegular || life::IsUploaded(inode)) return false;
        version = inode.version;
        return true;
      });
  if (discarded && *discarded) turns_.Refuse(version);
  return discarded;
}

Result<std::optional<std::uint64_t>> Shrinker::DropInterrupted(InodeId id) {
  std::string path;
  std::uint64_t bytes = 0;
  auto const dropped = RemoveFile(
      id, Fate::kDropped, [&](Transaction& transaction, Inode const& inode) -> Result<bool> {
        bool const may_go = inode.type == FileType::kRegular && life::IsInterrupted(inode) &&
                            inode.trimmed == 0 && !rules_.Settles(inode) &&
                            open_.FindFile(id) == nullptr;
        if (!may_go) return false;
        path = PathOf(transaction, inode).value_or(inode.name);
        bytes = inode.size;
        auto totals = GetTotals(transaction);
        if (!totals) return Failure(totals.error());
        ++totals->dropped_files;
        totals->dropped_bytes += bytes;
        PutTotals(transaction, *totals);
        return true;
      });
  if (!dropped) return Failure(dropped.error());
  if (!*dropped) return std::optional<std::uint64_t>();
  logger_->Warn(
      "an interrupted file is given up, the spool is full (full=drop-interrupted) path=\"{}\" "
      "bytes={}",
      Printable(path), bytes);
  return std::optional(bytes);
}

// ---- what there is to go

Result<Shrinker::Outlook> Shrinker::LookAhead(bool trims, std::stop_token stop) const {
  Outlook outlook;
  Links links;
  InodeId after = 0;
  for (bool more = true; more && !stop.stop_requested();) {
    // Pages, so that nobody else waits for long.
    auto const looked = store_.Read([&](View const& view) -> Result<void> {
      auto const page = ListWork(view, after, kPage);
      if (!page) return Failure(page.error());
      more = !page->empty();
      for (auto const id : *page) {
        after = id;
        auto const inode = GetInode(view, id);
        if (!inode || inode->links == 0) continue;
        if (auto added = AddTo(outlook, links, view, *inode, trims); !added) return added;
      }
      return {};
    });
    if (!looked) return Failure(looked.error());
  }
  AddWaiting(outlook, std::move(links));
  std::ranges::sort(outlook.interrupted, {}, &Outlook::Interrupted::since);
  return outlook;
}

Result<void> Shrinker::AddTo(Outlook& outlook, Links& links, View const& view, Inode const& inode,
                             bool trims) const {
  auto const path = PathOf(view, inode);
  if (!path) return Failure(path.error());
  auto const target = TargetPath(*path);
  bool const says_after = rules_.by_path.SaysAfter();
  if (open_.Count(inode.id).writing > 0 || life::IsBeingWritten(inode)) {
    // Of what is not sent before it is closed, nothing is ever confirmed before.
    bool const streams = rules_.by_path.StartOfFile(target) != StartOf::kClosed;
    outlook.goes_on = outlook.goes_on || (trims && streams);
    if (says_after) links.stuck.push_back({.path = target});
    return {};
  }
  auto const upload = FindUpload(view, inode.upload);
  if (!upload) return Failure(upload.error());
  auto const bytes = inode.size - std::min(inode.size, inode.trimmed);
  if (!WaitsForSomebody(inode, *path, *upload, rules_)) {
    bool const may_wait = says_after && rules_.Settles(inode) && !inode.approved;
    auto awaits = may_wait ? rules_.by_path.AwaitedBy(*path) : std::vector<Glob>();
    if (awaits.empty()) {
      outlook.goes_on = outlook.goes_on || bytes > 0;
    } else {
      links.waiting.push_back({target, std::move(awaits), bytes});
    }
    return {};
  }
  outlook.stuck += bytes;
  if (says_after && !rules_.IgnoredBy(*path)) links.stuck.push_back({.path = target});
  bool const may_be_dropped = life::IsInterrupted(inode) && inode.trimmed == 0 && bytes > 0;
  if (may_be_dropped) outlook.interrupted.push_back({.since = inode.changed, .inode = inode.id});
  return {};
}

void Shrinker::AddWaiting(Outlook& outlook, Links links) {
  auto& waiting = links.waiting;
  while (!links.stuck.empty() && !waiting.empty()) {
    auto const names = NamesOfPath(links.stuck.back().path);
    links.stuck.pop_back();
    auto const waits = [&](Link const& link) {
      return std::ranges::any_of(link.awaits,
                                 [&](Glob const& glob) { return glob.Matches(names); });
    };
    auto const gone = std::partition(waiting.begin(), waiting.end(), std::not_fn(waits));
    for (auto link = gone; link != waiting.end(); ++link) outlook.stuck += link->bytes;
    links.stuck.insert(links.stuck.end(), std::make_move_iterator(gone),
                       std::make_move_iterator(waiting.end()));
    waiting.erase(gone, waiting.end());
  }
  for (auto const& link : waiting) outlook.goes_on = outlook.goes_on || link.bytes > 0;
}

}  // namespace tusfs
