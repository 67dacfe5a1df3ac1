// Ledger: files that go in parts, which are joined at their end (catalog/parts.h).
#include <algorithm>
#include <cerrno>

#include "catalog/adoptable.h"
#include "catalog/life.h"
#include "catalog/namespace.h"
#include "catalog/tables.h"
#include "uploader/ledger.h"
#include "uploader/target.h"

namespace tusfs {
namespace {

/// The whole, where it still is the file's and its parts are being sent.
Result<std::optional<Upload>> FindOpenWhole(View const& view, Work const& work) {
  auto const inode = GetInode(view, work.inode.id);
  if (!inode && inode.error().code == ENOENT) return std::optional<Upload>();
  if (!inode) return Failure(inode.error());
  bool const is_same =
      inode->version == work.inode.version && inode->upload == work.upload->id && inode->links > 0;
  if (!is_same) return std::optional<Upload>();
  auto whole = FindUpload(view, inode->upload);
  if (whole && *whole && (*whole)->phase != UploadPhase::kParts) return std::optional<Upload>();
  return whole;
}

/// The part, and the file that it is of; nothing where it is nobody's, or is not being sent.
Result<std::optional<Upload>> FindOpenPart(View const& view, Uuid const& id) {
  auto part = FindUpload(view, id);
  if (!part) return Failure(part.error());
  if (!*part || !(*part)->IsPart()) return std::optional<Upload>();
  auto const belongs = IsPartOfItsWhole(view, **part);
  if (!belongs) return Failure(belongs.error());
  auto const whole = FindUpload(view, (*part)->whole);
  if (!whole) return Failure(whole.error());
  bool const is_sent =
      *belongs && *whole && (*whole)->owner != 0 && (*whole)->phase == UploadPhase::kParts;
  return is_sent ? *std::move(part) : std::optional<Upload>();
}

}  // namespace

// ---- looking

Result<std::optional<Work>> Ledger::LookAtPart(Uuid const& id) const {
  auto const part = store_.Read([&](View const& view) { return FindOpenPart(view, id); });
  if (!part) return Failure(part.error());
  if (!*part) return std::optional<Work>();
  auto looked = Look((*part)->owner);
  if (!looked || !*looked) return looked;
  auto& work = **looked;
  if (!work.upload || work.upload->id != (*part)->whole) return std::optional<Work>();
  // As it is now: until the file was found the part may have been taken away.
  auto now = store_.Read([&](View const& view) { return FindOpenPart(view, id); });
  if (!now) return Failure(now.error());
  if (!*now || (*now)->whole != work.upload->id) return std::optional<Work>();
  work.whole = std::exchange(work.upload, *std::move(now));
  return looked;
}

Result<std::vector<Upload>> Ledger::PartsOf(Work const& work) const {
  return store_.Read([&](View const& view) { return ListParts(view, work.upload->id); });
}

Result<std::vector<std::uint64_t>> Ledger::ChangedParts(Work const& work) const {
  return store_.Read([&](View const& view) { return ListChangedParts(view, work.upload->id); });
}

Result<std::vector<Upload>> Ledger::AdoptableParts(Work const& work, ByteRange const& range) const {
  return store_.Read([&](View const& view) -> Result<std::vector<Upload>> {
    std::vector<Upload> parts;
    auto const uploads = ListAdoptable(view, work.path);
    if (!uploads) return Failure(uploads.error());
    for (auto const& whole : *uploads) {
      if (!whole.HasParts()) continue;
      auto part = FindPart(view, whole.id, range.begin);
      if (!part) return Failure(part.error());
      bool const fits = *part && (*part)->length == range.end - range.begin &&
                        !(*part)->url.empty() && (*part)->frontier > 0;
      if (fits) parts.push_back(**std::move(part));
    }
    return parts;
  });
}

// ---- the whole, and its parts

Result<bool> Ledger::BeginParts(Work const& work, std::uint64_t part_size) {
  Upload whole;
  whole.id = Uuid::Random();
  whole.owner = work.inode.id;
  whole.version = work.version->id();
  whole.path = work.path;
  whole.part_size = part_size;
  whole.created = clock_.Wall();
  life::GoInParts(whole);
  return store_.Update([&](Transaction& transaction) -> Result<bool> {
    auto inode = GetInode(transaction, work.inode.id);
    if (!inode && inode.error().code == ENOENT) return false;
    if (!inode) return Failure(inode.error());
    if (inode->version != work.inode.version || inode->upload != work.inode.upload ||
        inode->links == 0) {
      return false;
    }
    inode->upload = whole.id;
    PutInode(transaction, *inode);
    PutUpload(transaction, whole);
    return true;
  });
}

Result<bool> Ledger::RenameParts(Work const& work) {
  return Change(work, [&](Transaction&, Inode&, Upload& whole) {
    whole.path = work.path;
    return true;
  });
}

Result<std::optional<Uuid>> Ledger::MakePart(Work const& work, ByteRange const& range) {
  Upload part;
  part.id = Uuid::Random();
  part.owner = work.inode.id;
  part.version = work.version->id();
  part.path = work.path;
  part.whole = work.upload->id;
  part.begin = range.begin;
  part.length = range.end - range.begin;
  part.created = clock_.Wall();
  life::Intend(part);
  return store_.Update([&](Transaction& transaction) -> Result<std::optional<Uuid>> {
    auto whole = FindOpenWhole(transaction, work);
    if (!whole) return Failure(whole.error());
    if (!*whole) return std::optional<Uuid>();
    auto const there = FindPart(transaction, (*whole)->id, part.begin);
    if (!there) return Failure(there.error());
    if (*there) return std::optional<Uuid>();
    (*whole)->frontier = std::max((*whole)->frontier, range.end);
    PutUpload(transaction, **whole);
    PutPart(transaction, part);
    return std::optional(part.id);
  });
}

Result<bool> Ledger::AdoptPart(Work const& work, Upload const& candidate) {
  return store_.Update([&](Transaction& transaction) -> Result<bool> {
    auto whole = FindOpenWhole(transaction, work);
    if (!whole) return Failure(whole.error());
    auto part = FindUpload(transaction, candidate.id);
    if (!part) return Failure(part.error());
    if (!*whole || !*part || (*part)->whole != candidate.whole) return false;
    auto const belongs = IsPartOfItsWhole(transaction, **part);
    if (!belongs || !*belongs) return belongs;
    auto const before = FindUpload(transaction, candidate.whole);
    if (!before) return Failure(before.error());
    auto const there = FindPart(transaction, (*whole)->id, candidate.begin);
    if (!there) return Failure(there.error());
    if (!*before || (*before)->owner != 0 || *there) return false;
    auto& taken = **part;
    if (auto forgotten = ForgetPartRow(transaction, taken); !forgotten) {
      return Failure(forgotten.error());
    }
    taken.owner = work.inode.id;
    taken.version = work.version->id();
    taken.whole = (*whole)->id;
    taken.error.clear();
    life::Create(taken);
    PutPart(transaction, taken);
    (*whole)->frontier = std::max((*whole)->frontier, taken.begin + *taken.length);
    if (auto put = PutWhole(transaction, **whole); !put) return Failure(put.error());
    return true;
  });
}

Result<std::vector<Uuid>> Ledger::TakeAwayParts(Work const& work,
                                                std::vector<Upload> const& parts) {
  return store_.Update([&](Transaction& transaction) -> Result<std::vector<Uuid>> {
    auto const whole = FindOpenWhole(transaction, work);
    if (!whole) return Failure(whole.error());
    if (!*whole) return std::vector<Uuid>();
    return tusfs::TakeAwayParts(transaction, **whole, parts, PartsChanged::kNo);
  });
}

Result<bool> Ledger::RewindPart(Work const& work, Upload const& listed, std::uint64_t offset) {
  return store_.Update([&](Transaction& transaction) -> Result<bool> {
    auto whole = FindOpenWhole(transaction, work);
    if (!whole) return Failure(whole.error());
    auto part = FindUpload(transaction, listed.id);
    if (!part) return Failure(part.error());
    if (!*whole || !*part || (*part)->whole != (*whole)->id) return false;
    (*part)->offset = offset;
    PutUpload(transaction, **part);
    if (auto put = PutWhole(transaction, **whole); !put) return Failure(put.error());
    return true;
  });
}

// What a part has come to is the whole's, too: how far it is, and what is in the way.
Result<bool> Ledger::NotePart(Transaction& transaction, Upload const& part,
                              std::string const& error_before) {
  auto const belongs = IsPartOfItsWhole(transaction, part);
  if (!belongs || !*belongs) return belongs;
  auto whole = FindUpload(transaction, part.whole);
  if (!whole) return Failure(whole.error());
  bool const takes = *whole && ((*whole)->phase == UploadPhase::kParts ||
                                (*whole)->phase == UploadPhase::kRefused);
  if (!takes) return false;
  auto& its = **whole;
  PutUpload(transaction, part);
  bool const is_refused = its.phase == UploadPhase::kRefused;
  bool const is_refused_itself = part.phase == UploadPhase::kRefused;
  bool const says =
      !is_refused && !is_refused_itself && (!part.error.empty() || its.error == error_before);
  if (says) its.error = part.error;
  auto const put = PutWhole(transaction, its);
  return put ? Result<bool>(true) : Failure(put.error());
}

// ---- refused

Result<bool> Ledger::RefusedPart(Work const& work, std::string const& why, bool passes) {
  return Change(work, [&](Transaction&, Inode&, Upload& part) {
    life::Refuse(part);
    part.error = why;
    part.given_up = passes;
    return true;
  });
}

Result<bool> Ledger::GoOnInParts(Work const& work) {
  auto const goes_on = store_.Update([&](Transaction& transaction) -> Result<bool> {
    auto const inode = GetInode(transaction, work.inode.id);
    if (!inode && inode.error().code == ENOENT) return false;
    if (!inode) return Failure(inode.error());
    auto found = FindUpload(transaction, work.upload->id);
    if (!found) return Failure(found.error());
    if (inode->upload != work.upload->id || !*found) return false;
    auto& whole = **found;
    auto parts = ListParts(transaction, whole.id);
    if (!parts) return Failure(parts.error());
    for (auto& part : *parts) {
      if (part.phase != UploadPhase::kRefused) continue;
      if (part.url.empty()) {
        life::Intend(part);
      } else {
        life::Create(part);
      }
      part.given_up = false;
      PutUpload(transaction, part);
    }
    // A join whose answer was lost may have made something of them.
    whole.lost_an_end = whole.lost_an_end || whole.end == UploadEnd::kSent;
    whole.end = UploadEnd::kNotSent;
    whole.end_words.clear();
    whole.given_up = false;
    whole.path = work.path;
    life::GoInParts(whole);
    PutUpload(transaction, whole);
    return true;
  });
  if (goes_on && *goes_on) work.version->Unseal();
  return goes_on;
}

// ---- joining them

Result<bool> Ledger::AnnounceJoin(Work const& work) {
  auto& version = *work.version;
  if (!version.Seal(work.changes)) return false;
  auto announced = store_.Update([&](Transaction& transaction) -> Result<bool> {
    auto whole = FindOpenWhole(transaction, work);
    if (!whole) return Failure(whole.error());
    auto const inode = GetInode(transaction, work.inode.id);
    if (!inode) return Failure(inode.error());
    if (!*whole || !life::IsFinished(*inode) || inode->size != work.inode.size) return false;
    // Nor under a name that it had a moment ago.
    auto const path = PathOf(transaction, *inode).value_or("");
    if (TargetPath(path) != work.path || rules_.IgnoredBy(path)) return false;
    auto const confirmed = ConfirmedInParts(transaction, (*whole)->id);
    if (!confirmed) return Failure(confirmed.error());
    if (*confirmed != inode->size) return false;
    auto& upload = **whole;
    upload.path = work.path;
    upload.end = UploadEnd::kSent;
    life::SendEnd(upload);
    if (auto marked = WillBeLast(transaction, upload); !marked) return Failure(marked.error());
    PutUpload(transaction, upload);
    return true;
  });
  if (announced && *announced) {
    // A power cut must not forget that this may have been published.
    if (auto synced = store_.Sync(); !synced) announced = Failure(synced.error());
  }
  if (!announced || !*announced) version.Unseal();
  return announced;
}

Result<bool> Ledger::MissedJoin(Work const& work, std::string const& refused) {
  auto const missed = Change(work, [&](Transaction&, Inode&, Upload& whole) {
    whole.end = refused.empty() ? UploadEnd::kNotSent : UploadEnd::kRefused;
    whole.end_words = refused;
    life::MissEnd(whole);
    return true;
  });
  if (missed && *missed) work.version->Unseal();
  return missed;
}

Result<std::optional<std::vector<Uuid>>> Ledger::Joined(Work const& work, std::string const& url,
                                                        std::string const& receipt, bool ends) {
  using Parts = std::optional<std::vector<Uuid>>;
  return store_.Update([&](Transaction& transaction) -> Result<Parts> {
    auto const inode = GetInode(transaction, work.inode.id);
    if (!inode && inode.error().code == ENOENT) return Parts();
    if (!inode) return Failure(inode.error());
    auto found = FindUpload(transaction, work.upload->id);
    if (!found) return Failure(found.error());
    bool const is_its_own = inode->upload == work.upload->id && *found;
    if (!is_its_own || (*found)->phase != UploadPhase::kFinalSent) return Parts();
    auto& upload = **found;
    auto parts = JoinParts(transaction, upload, ends && !upload.lost_an_end);
    if (!parts) return Failure(parts.error());
    upload.url = url;
    upload.offset = upload.handed = upload.frontier = work.inode.size;
    upload.length = work.inode.size;
    upload.receipt = receipt;
    upload.error.clear();
    life::Verify(upload);
    PutUpload(transaction, upload);
    return Parts(*std::move(parts));
  });
}

Result<std::vector<Uuid>> Ledger::Dissolve(Upload const& whole) {
  return store_.Update([&](Transaction& transaction) -> Result<std::vector<Uuid>> {
    auto const now = FindUpload(transaction, whole.id);
    if (!now) return Failure(now.error());
    if (!*now || (*now)->owner != 0) return std::vector<Uuid>();
    return DissolveParts(transaction, **now);
  });
}

}  // namespace tusfs
