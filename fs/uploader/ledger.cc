#include "uploader/ledger.h"

#include <algorithm>
#include <cerrno>

#include "catalog/adoptable.h"
#include "catalog/life.h"
#include "catalog/namespace.h"
#include "catalog/tables.h"
#include "uploader/facts.h"
#include "uploader/links.h"
#include "uploader/target.h"

namespace tusfs {
namespace {

FileTime TimeOf(tus::Expiry const& expiry) {
  if (!expiry) return 0;
  return std::chrono::duration_cast<std::chrono::nanoseconds>(expiry->time_since_epoch()).count();
}

// Of the blocks that a range of an upload falls into, each up to the range's end. It begins at
// byte `begin` of the file, which is the first of a block.
Result<std::vector<BlockDigest>> DigestsOf(Version const& version, std::uint64_t begin,
                                           Range const& range) {
  std::vector<BlockDigest> digests;
  for (auto at = range.begin / kDigestBlock * kDigestBlock; at < range.end; at += kDigestBlock) {
    auto digest =
        version.DigestOf((begin + at) / kDigestBlock, std::min(kDigestBlock, range.end - at));
    if (!digest) return Failure(digest.error());
    digests.push_back(*digest);
  }
  return digests;
}

// An upload that the release before began has none, and gets none.
bool KeepDigests(Transaction& transaction, Uuid const& upload, Range const& range,
                 std::vector<BlockDigest> const& digests) {
  auto const first = range.begin / kDigestBlock;
  if (first > 0) {
    auto const before = FindDigest(transaction, upload, first - 1);
    if (!before) return false;
    if (!*before || (*before)->length != kDigestBlock) return true;
  }
  return PutDigests(transaction, upload, first, digests).has_value();
}

}  // namespace

LogSubject About(Work const& work) {
  return {.file = work.path, .upload = work.upload ? work.upload->id.ToString() : ""};
}

Result<void> KnowSent(View const& view, std::optional<Upload> const& upload, Version& version) {
  ByteRanges sent;
  if (upload && upload->HasParts()) {
    auto const parts = ListParts(view, upload->id);
    if (!parts) return Failure(parts.error());
    for (auto const& part : *parts) sent.Add({part.begin, part.begin + part.frontier});
  } else if (upload) {
    sent.Add({0, upload->frontier});
  }
  version.KnowSent(std::move(sent), upload && life::HasEnded(upload->phase));
  return {};
}

Result<std::optional<Work>> Ledger::Look(InodeId id) const {
  auto version = store_.Read([&](View const& view) -> Result<std::shared_ptr<Version>> {
    auto const inode = GetInode(view, id);
    if (!inode && inode.error().code == ENOENT) return nullptr;
    if (!inode) return Failure(inode.error());
    if (inode->type != FileType::kRegular || inode->links == 0) return nullptr;
    if (life::IsUploaded(*inode)) return nullptr;  // it may be a stub
    // Found inside the look: the record's size is that of a version that nobody has open.
    return spool_.Find(inode->version, inode->size, inode->trimmed);
  });
  if (!version && version.error().code == ENOENT) {
    return Fail(ENODATA, "its bytes are missing from the spool: " + version.error().context);
  }
  if (!version) return Failure(version.error());
  if (!*version) return std::optional<Work>();
  // Counted before the look: whoever changes bytes afterwards is noticed by Seal.
  auto const changes = (*version)->changes();
  return store_.Read([&](View const& view) -> Result<std::optional<Work>> {
    auto inode = GetInode(view, id);
    bool const has_work = inode && inode->links > 0 && !life::IsUploaded(*inode);
    if (!has_work) return std::optional<Work>();
    if (inode->version != (*version)->id()) return Fail(EAGAIN);
    if (life::IsFinished(*inode) && (*version)->size() != inode->size) {
      return Fail(ENODATA, "the spool has " + std::to_string((*version)->size()) +
                               " bytes of its " + std::to_string(inode->size));
    }
    auto path = PathOf(view, *inode);
    if (!path) return Failure(path.error());
    auto upload = FindUpload(view, inode->upload);
    if (!upload) return Failure(upload.error());
    if (auto known = KnowSent(view, *upload, **version); !known) return Failure(known.error());
    return std::optional<Work>(Work{std::move(*inode), TargetPath(*path), std::move(*upload),
                                    *version, changes, rules_.IgnoredBy(*path).has_value()});
  });
}

// What the server has of it went over the wire, though its sender may have died before he counted
// it.
Result<void> Ledger::CountArrived(Transaction& transaction, Upload& upload) {
  if (upload.offset <= upload.handed) return {};
  auto totals = GetTotals(transaction);
  if (!totals) return Failure(totals.error());
  auto const uncounted = upload.offset - std::exchange(upload.handed, upload.offset);
  upload.sent += uncounted;
  totals->sent += uncounted;
  PutTotals(transaction, *totals);
  return {};
}

Result<bool> Ledger::Change(Work const& work,
                            std::function<bool(Transaction&, Inode&, Upload&)> const& change) {
  return store_.Update([&](Transaction& transaction) -> Result<bool> {
    auto inode = GetInode(transaction, work.inode.id);
    if (!inode && inode.error().code == ENOENT) return false;
    if (!inode) return Failure(inode.error());
    if (inode->upload != work.FilesUpload()) return false;
    auto upload = FindUpload(transaction, work.upload->id);
    if (!upload) return Failure(upload.error());
    auto const content = inode->content;
    auto const error = *upload ? (*upload)->error : std::string();
    if (!*upload || !change(transaction, *inode, **upload)) return false;
    if (work.IsPart()) {
      auto const noted = NotePart(transaction, **upload, error);
      if (!noted || !*noted) return noted;
    }
    if (auto counted = CountArrived(transaction, **upload); !counted) {
      return Failure(counted.error());
    }
    PutUpload(transaction, **upload);
    if (inode->content != content) PutInode(transaction, *inode);
    return true;
  });
}

// What is left of a body that was trimmed is of no use to anybody.
void Ledger::LetGoOfBytes(Transaction& transaction, Inode& inode) {
  transaction.WhenDurable([&spool = spool_, logger = logger_, version = inode.version] {
    if (auto removed = spool.Remove(version); !removed) {
      logger->Warn("spool file not removed, the next start tries again error=\"{}\"",
                   Describe(removed.error()));
    }
  });
  inode.version = 0;
  inode.trimmed = 0;
}

// ---- creation

Result<std::optional<Upload>> Ledger::Intend(Work const& work) {
  Upload upload = work.upload.value_or(Upload{});
  if (upload.id.IsNil()) upload.id = Uuid::Random();
  upload.owner = work.inode.id;
  upload.version = work.version->id();
  life::Intend(upload);
  upload.path = work.path;
  upload.length.reset();
  if (work.finished()) upload.length = work.inode.size;
  upload.created = clock_.Wall();
  return store_.Update([&](Transaction& transaction) -> Result<std::optional<Upload>> {
    auto inode = GetInode(transaction, work.inode.id);
    if (!inode && inode.error().code == ENOENT) return std::optional<Upload>();
    if (!inode) return Failure(inode.error());
    if (inode->version != work.inode.version || inode->content != work.inode.content ||
        inode->upload != work.inode.upload || inode->links == 0) {
      return std::optional<Upload>();
    }
    // The creation of an empty upload is its completion too.
    if (upload.length == 0) {
      if (auto marked = WillBeLast(transaction, upload); !marked) return Failure(marked.error());
    }
    inode->upload = upload.id;
    PutInode(transaction, *inode);
    PutUpload(transaction, upload);
    return std::optional<Upload>(upload);
  });
}

Result<bool> Ledger::Created(Work const& work, tus::Created const& created,
                             std::string const& headers) {
  return Change(work, [&](Transaction&, Inode&, Upload& upload) {
    upload.url = created.url;
    upload.headers = headers;
    upload.offset = created.offset;
    upload.handed = created.offset;  // what it had was somebody else's to count
    upload.expires = TimeOf(created.expires);
    life::Create(upload);
    upload.error.clear();
    return true;
  });
}

Result<bool> Ledger::Renewed(Work const& work, std::optional<std::string> const& url,
                             std::string const& headers) {
  return Change(work, [&](Transaction&, Inode&, Upload& upload) {
    if (url) upload.url = *url;
    upload.headers = headers;
    return true;
  });
}

Result<void> Ledger::CreatedForNobody(Upload upload, tus::Created const& created,
                                      std::string const& headers) {
  upload.owner = 0;
  upload.url = created.url;
  upload.headers = headers;
  life::Create(upload);
  return store_.Update([&](Transaction& transaction) -> Result<void> {
    PutUpload(transaction, upload);
    return {};
  });
}

// ---- sending

Result<bool> Ledger::Announce(Work const& work, Range const& range,
                              std::function<void()> const& when_durable) {
  auto& version = *work.version;
  if (!version.Claim({work.begin(), work.begin() + range.end})) return false;
  // Journaled before the bytes go out: whatever the server turns out to have, it is known.
  auto const digests = DigestsOf(version, work.begin(), range);
  if (!digests && digests.error().code == ENODATA) return false;  // it has become shorter
  if (!digests) return Fail(ENODATA, "its bytes cannot be read: " + Describe(digests.error()));
  if (range.last && !version.Seal(work.changes)) return false;
  auto announced = Change(work, [&](Transaction& transaction, Inode& inode, Upload& upload) {
    if (range.last && !life::IsFinished(inode)) return false;
    // Nor under a name that it had a moment ago.
    auto const path = range.last ? PathOf(transaction, inode).value_or("") : std::string();
    if (range.last && (TargetPath(path) != work.path || rules_.IgnoredBy(path))) return false;
    if (!KeepDigests(transaction, upload.id, range, *digests)) return false;
    upload.frontier = std::max(upload.frontier, range.end);
    ++upload.requests;
    if (!range.last) return true;
    life::SendEnd(upload);
    if (upload.end == UploadEnd::kNotSent) upload.end = UploadEnd::kSent;
    if (!WillBeLast(transaction, upload)) return false;
    if (!when_durable) return true;
    transaction.AtOnce();
    transaction.WhenDurable(when_durable);
    return true;
  });
  if (announced && *announced && range.last && !when_durable) {
    // A power cut must not forget that this may have been published.
    if (auto synced = store_.Sync(); !synced) announced = Failure(synced.error());
  }
  bool const goes_out = announced && *announced;
  if (range.last && !goes_out) version.Unseal();
  return announced;
}

Result<bool> Ledger::TakeBack(Work const& work) {
  auto const changed = Change(work, [](Transaction&, Inode&, Upload& upload) {
    life::MissEnd(upload);
    upload.end = UploadEnd::kNotSent;
    return true;
  });
  if (changed && *changed) work.version->Unseal();
  return changed;
}

Result<bool> Ledger::NoteEnd(Work const& work, tus::UploadFacts const& facts) {
  auto const changed = Change(work, [&](Transaction&, Inode&, Upload& upload) {
    KeepEnd(facts, upload);
    if (upload.end == UploadEnd::kNotSent) life::MissEnd(upload);
    return true;
  });
  if (changed && *changed && facts.end == tus::UploadFacts::End::kNotSent) work.version->Unseal();
  return changed;
}

Result<bool> Ledger::Confirmed(Work const& work, tus::Patched const& answer,
                               std::string const& warning) {
  // Not what only keeps the upload from expiring.
  if (answer.offset > work.upload->offset) spool_.budget().NoteProgress(clock_.Steady());
  return Change(work, [&](Transaction&, Inode&, Upload& upload) {
    upload.offset = answer.offset;
    if (answer.expires) upload.expires = TimeOf(answer.expires);
    upload.error = warning;
    return true;
  });
}

Result<bool> Ledger::Incomplete(Work const& work, tus::UploadStatus const& status,
                                tus::UploadFacts const& facts) {
  auto const changed = Change(work, [&](Transaction&, Inode&, Upload& upload) {
    KeepEnd(facts, upload);
    upload.offset = status.offset;
    upload.length = status.length;
    if (status.expires) upload.expires = TimeOf(status.expires);
    // What completes it did not arrive, and nothing is on its way: it can still be given up.
    life::MissEnd(upload);
    upload.given_up = false;
    upload.error.clear();
    return true;
  });
  if (changed && *changed && !work.IsPart()) work.version->Unseal();
  return changed;
}

Result<bool> Ledger::Verifying(Work const& work, std::string const& receipt,
                               WholeDigests const& digests) {
  if (!work.version->Seal(work.changes)) return false;  // as in Complete
  return Change(work, [&](Transaction&, Inode&, Upload& upload) {
    life::Verify(upload);
    upload.offset = work.inode.size;
    upload.length = work.inode.size;
    upload.receipt = receipt;
    upload.digests = digests;
    upload.error.clear();
    return true;
  });
}

Result<bool> Ledger::Complete(Work const& work, std::string const& receipt,
                              WholeDigests const& digests, ProvedBy proved) {
  // The upload of an empty file is complete without a final PATCH, so nothing was sealed before it:
  // the file may have got bytes meanwhile, and may even be finished again.
  if (!work.version->Seal(work.changes)) return false;
  auto const completed = Change(work, [&](Transaction& transaction, Inode& inode, Upload& upload) {
    life::Complete(upload);
    upload.offset = work.inode.size;
    upload.length = work.inode.size;
    upload.receipt = receipt;
    upload.digests = digests;
    upload.error.clear();
    if (!WasPublished(transaction, upload)) return false;
    // A writer that has opened it meanwhile without writing will finish it again, for nothing.
    if (!life::IsFinished(inode)) return true;
    auto const marked = MarkUploadedWithProof(transaction, inode, upload, proved, clock_.Wall());
    if (!marked) return false;
    if (inode.trimmed > 0) LetGoOfBytes(transaction, inode);
    return true;
  });
  spool_.LetGo(work.version->id());
  spool_.budget().Poke();
  return completed;
}

// ---- trouble

Result<bool> Ledger::ChangeWithProof(Work const& work, Fate fate, std::string const& why,
                                     std::function<void(Upload&)> const& change) {
  return Change(work, [&](Transaction& transaction, Inode& inode, Upload& upload) {
    bool const is_news = upload.error != why;
    change(upload);
    upload.error = why;
    return !is_news || PutProof(transaction, fate, inode, &upload, why, clock_.Wall()).has_value();
  });
}

Result<bool> Ledger::Refused(Work const& work, std::string const& why) {
  return ChangeWithProof(work, Fate::kRefused, why, life::Refuse);
}

Result<bool> Ledger::Unconfirmed(Work const& work, std::string const& why) {
  return ChangeWithProof(work, Fate::kUnconfirmed, why, life::Unconfirm);
}

Result<bool> Ledger::GivenUp(Work const& work, std::string const& why) {
  return ChangeWithProof(work, Fate::kRefused, why, [](Upload& upload) {
    life::Refuse(upload);
    upload.given_up = true;
  });
}

Result<bool> Ledger::NoteError(Work const& work, std::string const& message) {
  return Change(work, [&](Transaction&, Inode&, Upload& upload) {
    upload.error = message;
    return true;
  });
}

Result<Ledger::StartedOver> Ledger::StartOver(Work const& work, GiveUpFor why, bool adoptable) {
  auto over = store_.Update([&](Transaction& transaction) -> Result<StartedOver> {
    auto inode = GetInode(transaction, work.inode.id);
    if (!inode && inode.error().code == ENOENT) return StartedOver{};
    if (!inode) return Failure(inode.error());
    if (inode->upload != work.upload->id) return StartedOver{};
    auto const upload = FindUpload(transaction, inode->upload);
    if (!upload) return Failure(upload.error());
    if (*upload && WhyNotGivenUp(*inode, **upload, why)) return StartedOver{.kept = true};
    auto ownerless = DetachUpload(transaction, *inode, adoptable);
    if (!ownerless) return Failure(ownerless.error());
    PutInode(transaction, *inode);
    return StartedOver{.ownerless = *ownerless};
  });
  if (over && !over->kept) work.version->ReleaseAll();
  return over;
}

Result<void> Ledger::LostBytes(InodeId id, std::optional<VersionId> version,
                               std::string const& why) {
  return store_.Update([&](Transaction& transaction) -> Result<void> {
    auto inode = GetInode(transaction, id);
    if (!inode && inode.error().code == ENOENT) return {};
    if (!inode) return Failure(inode.error());
    if (version && inode->version != *version) return {};
    if (!life::Fail(*inode, why)) return {};  // the server has them
    PutInode(transaction, *inode);
    return {};
  });
}

// ---- ownerless uploads, counters

Result<std::optional<Upload>> Ledger::FindOwnerless(Uuid const& id) const {
  auto upload = store_.Read([&](View const& view) { return FindUpload(view, id); });
  if (upload && *upload && (*upload)->owner != 0) return std::optional<Upload>();
  return upload;
}

Result<void> Ledger::Terminated(Upload const& upload) {
  return store_.Update([&](Transaction& transaction) { return DeleteUpload(transaction, upload); });
}

Result<void> Ledger::Count(Work const& work, std::uint64_t end, std::uint64_t sent,
                           ServerLink* link) {
  return store_.Update([&](Transaction& transaction) -> Result<void> {
    auto upload = FindUpload(transaction, work.upload->id);
    if (!upload) return Failure(upload.error());
    std::uint64_t resent = 0;
    if (*upload) {
      auto& handed = (*upload)->handed;
      resent = sent - std::min(sent, end - std::min(handed, end));
      handed = std::max(handed, end);
      (*upload)->sent += sent;
      PutUpload(transaction, **upload);
    }
    auto totals = GetTotals(transaction);
    if (!totals) return Failure(totals.error());
    totals->sent += sent;
    totals->resent += resent;
    PutTotals(transaction, *totals);
    return link != nullptr ? link->Count(transaction, sent) : Result<void>();
  });
}

}  // namespace tusfs
