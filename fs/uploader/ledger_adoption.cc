// Ledger: uploads that lost their owner, and how they find another one.
#include <algorithm>
#include <cerrno>

#include "catalog/adoptable.h"
#include "catalog/life.h"
#include "catalog/tables.h"
#include "uploader/ledger.h"

namespace tusfs {
namespace {

/// Of one path; a log that is written anew every minute would else leave a day's worth.
constexpr std::size_t kMostOfOnePath = 4;
/// An upload is given up so long before the server deletes it.
constexpr FileTime kExpiryMargin = FileTime{60} * 1'000'000'000;

}  // namespace

Result<std::vector<Upload>> Ledger::Adoptable(Work const& work) const {
  auto uploads = store_.Read([&](View const& view) { return ListAdoptable(view, work.path); });
  if (!uploads) return uploads;
  std::erase_if(*uploads, [](Upload const& upload) { return upload.HasParts(); });
  std::sort(uploads->begin(), uploads->end(),
            [](Upload const& a, Upload const& b) { return a.frontier > b.frontier; });
  return uploads;
}

Result<std::optional<BlockDigest>> Ledger::DigestOf(Uuid const& upload, std::uint64_t block) const {
  return store_.Read([&](View const& view) { return FindDigest(view, upload, block); });
}

Result<bool> Ledger::Adopt(Work const& work, Candidate const& candidate) {
  return store_.Update([&](Transaction& transaction) -> Result<bool> {
    auto inode = GetInode(transaction, work.inode.id);
    if (!inode && inode.error().code == ENOENT) return false;
    if (!inode) return Failure(inode.error());
    if (inode->version != work.inode.version || inode->content != work.inode.content ||
        inode->upload != work.inode.upload || inode->links == 0) {
      return false;
    }
    auto found = FindUpload(transaction, candidate.id);
    if (!found) return Failure(found.error());
    if (!*found || (*found)->owner != 0) return false;
    auto& upload = **found;
    if (candidate.complete && !upload.last) return false;
    auto const adoptable = IsAdoptable(transaction, upload);
    if (!adoptable || !*adoptable) return adoptable;
    DeleteTarget(transaction, upload);
    upload.owner = inode->id;
    upload.version = inode->version;
    if (candidate.complete) {
      life::Complete(upload);
    } else {
      life::Create(upload);
    }
    upload.offset = candidate.offset;
    // What was on its way to it before and was not compared must never be taken for this file's.
    upload.frontier = candidate.offset;
    upload.length = candidate.length;
    upload.at_rest = 0;
    upload.error.clear();
    inode->upload = upload.id;
    PutUpload(transaction, upload);
    PutInode(transaction, *inode);
    return true;
  });
}

Result<std::optional<FileTime>> Ledger::Rest(Upload upload, FileTime timeout) {
  return store_.Update([&](Transaction& transaction) -> Result<std::optional<FileTime>> {
    auto const adoptable = IsAdoptable(transaction, upload);
    if (!adoptable) return Failure(adoptable.error());
    if (!*adoptable || timeout == 0) return std::optional<FileTime>();
    if (upload.at_rest == 0) {
      auto const others = ListAdoptable(transaction, upload.path);
      if (!others) return Failure(others.error());
      auto const younger = std::count_if(others->begin(), others->end(), [&](Upload const& other) {
        return other.created > upload.created;
      });
      if (static_cast<std::size_t>(younger) >= kMostOfOnePath) return std::optional<FileTime>();
      upload.at_rest = clock_.Wall();
      PutUpload(transaction, upload);
    }
    auto until = upload.at_rest + timeout;
    bool const may_expire = upload.expires != 0 && upload.phase != UploadPhase::kComplete;
    if (may_expire) until = std::min(until, upload.expires - kExpiryMargin);
    return std::optional<FileTime>(until);
  });
}

Result<void> Ledger::Retire(Upload const& upload) {
  return store_.Update([&](Transaction& transaction) -> Result<void> {
    DeleteTarget(transaction, upload);
    return {};
  });
}

}  // namespace tusfs
