#include "catalog/adoptable.h"

#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "catalog/codec.h"
#include "catalog/tables.h"

namespace tusfs {
namespace {

constexpr std::uint64_t kGroup = 64;  // blocks a row
constexpr std::size_t kEntry = sizeof(std::uint32_t) + sizeof(BlockDigest::digest);

std::string UuidKey(Uuid const& id) {
  return std::string(reinterpret_cast<char const*>(id.bytes.data()), id.bytes.size());
}

std::string GroupKey(Uuid const& upload, std::uint64_t block) {
  return UuidKey(upload) + Key(block / kGroup);
}

// LMDB's keys are shorter than paths may be.
std::string PathKey(std::string_view path) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits(path.data(), path.size()));
  return std::string(reinterpret_cast<char const*>(canonical.digest), sizeof canonical.digest);
}

std::string TargetKey(Upload const& upload) { return PathKey(upload.path) + UuidKey(upload.id); }

std::string EncodeDigest(BlockDigest const& digest) {
  auto bytes = Encoder().Number(digest.length).Take();
  bytes.append(reinterpret_cast<char const*>(digest.digest.data()), digest.digest.size());
  return bytes;
}

BlockDigest DecodeDigest(std::string_view entry) {
  BlockDigest digest;
  digest.length = Decoder(entry).Number<std::uint32_t>();
  auto const bytes = entry.substr(sizeof digest.length);
  std::copy(bytes.begin(), bytes.end(), digest.digest.begin());
  return digest;
}

/// Of the upload that was published last under the path; nil where none is known.
Result<Uuid> LastOf(View const& view, std::string_view path) {
  auto const row = view.Get(Table::kTargets, PathKey(path));
  if (!row) return Failure(row.error());
  return *row ? Decoder(**row).Id() : Uuid{};
}

Result<void> NoLongerLast(Transaction& transaction, Uuid const& id) {
  auto before = FindUpload(transaction, id);
  if (!before) return Failure(before.error());
  if (!*before || !(*before)->last) return {};
  (*before)->last = false;
  PutUpload(transaction, **before);
  return {};
}

Result<std::string> GroupOf(View const& view, Uuid const& upload, std::uint64_t block) {
  auto row = view.Get(Table::kDigests, GroupKey(upload, block));
  if (!row) return Failure(row.error());
  if (!*row) return std::string();
  if ((*row)->size() % kEntry != 0) return Fail(EUCLEAN, "the catalog has damaged digests");
  return **std::move(row);
}

}  // namespace

Result<std::optional<BlockDigest>> FindDigest(View const& view, Uuid const& upload,
                                              std::uint64_t block) {
  auto const group = GroupOf(view, upload, block);
  if (!group) return Failure(group.error());
  auto const at = static_cast<std::size_t>(block % kGroup) * kEntry;
  if (at >= group->size()) return std::optional<BlockDigest>();
  return std::optional(DecodeDigest(std::string_view(*group).substr(at, kEntry)));
}

Result<std::vector<BlockDigest>> ListDigests(View const& view, Uuid const& upload) {
  std::vector<BlockDigest> digests;
  auto const scanned = view.Scan(
      Table::kDigests, UuidKey(upload), "", [&](std::string_view, std::string_view group) {
        for (std::size_t at = 0; at + kEntry <= group.size(); at += kEntry) {
          digests.push_back(DecodeDigest(group.substr(at, kEntry)));
        }
        return true;
      });
  if (!scanned) return Failure(scanned.error());
  return digests;
}

Result<void> PutDigests(Transaction& transaction, Uuid const& upload, std::uint64_t first,
                        std::span<BlockDigest const> digests) {
  for (std::size_t i = 0; i < digests.size();) {
    auto const block = first + i;
    auto group = GroupOf(transaction, upload, block);
    if (!group) return Failure(group.error());
    auto const at = static_cast<std::size_t>(block % kGroup);
    if (group->size() < at * kEntry) return Fail(EINVAL, "catalog: digests with a gap");
    group->resize(at * kEntry);
    auto const end = std::min<std::size_t>(digests.size(), i + kGroup - at);
    for (; i < end; ++i) *group += EncodeDigest(digests[i]);
    transaction.Put(Table::kDigests, GroupKey(upload, block), *std::move(group));
  }
  return {};
}

Result<void> DeleteDigests(Transaction& transaction, Uuid const& upload) {
  return transaction.Scan(Table::kDigests, UuidKey(upload), "",
                          [&](std::string_view key, std::string_view) {
                            transaction.Delete(Table::kDigests, std::string(key));
                            return true;
                          });
}

Result<std::vector<Upload>> ListAdoptable(View const& view, std::string_view path) {
  auto const prefix = PathKey(path);
  std::vector<Uuid> ids;
  auto scanned =
      view.Scan(Table::kTargets, prefix, "", [&](std::string_view key, std::string_view) {
        if (key.size() > prefix.size()) ids.push_back(Decoder(key.substr(prefix.size())).Id());
        return true;
      });
  if (!scanned) return Failure(scanned.error());
  std::vector<Upload> uploads;
  for (auto const& id : ids) {
    auto upload = FindUpload(view, id);
    if (!upload) return Failure(upload.error());
    if (*upload && (*upload)->owner == 0 && (*upload)->path == path) {
      uploads.push_back(**std::move(upload));
    }
  }
  return uploads;
}

void PutTarget(Transaction& transaction, Upload const& upload) {
  transaction.Put(Table::kTargets, TargetKey(upload), {});
}

void DeleteTarget(Transaction& transaction, Upload const& upload) {
  transaction.Delete(Table::kTargets, TargetKey(upload));
}

Result<bool> IsAdoptable(View const& view, Upload const& upload) {
  auto const row = view.Get(Table::kTargets, TargetKey(upload));
  if (!row) return Failure(row.error());
  return row->has_value();
}

Result<void> WillBeLast(Transaction& transaction, Upload& upload) {
  auto const last = LastOf(transaction, upload.path);
  if (!last) return Failure(last.error());
  upload.last = true;
  if (*last == upload.id) return {};
  transaction.Put(Table::kTargets, PathKey(upload.path), UuidKey(upload.id));
  return NoLongerLast(transaction, *last);
}

Result<void> WasPublished(Transaction& transaction, Upload& upload) {
  if (upload.last) return {};
  auto const last = LastOf(transaction, upload.path);
  if (!last) return Failure(last.error());
  if (last->IsNil()) return WillBeLast(transaction, upload);
  transaction.Delete(Table::kTargets, PathKey(upload.path));
  return NoLongerLast(transaction, *last);
}

Result<void> CheckLast(Transaction& transaction, Upload& upload) {
  if (!upload.last) return {};
  auto const last = LastOf(transaction, upload.path);
  if (!last) return Failure(last.error());
  if (last->IsNil()) {
    transaction.Put(Table::kTargets, PathKey(upload.path), UuidKey(upload.id));
  } else {
    upload.last = *last == upload.id;
  }
  return {};
}

Result<void> ForgetLast(Transaction& transaction, Upload const& upload) {
  auto const last = LastOf(transaction, upload.path);
  if (!last) return Failure(last.error());
  if (*last == upload.id) transaction.Delete(Table::kTargets, PathKey(upload.path));
  return {};
}

}  // namespace tusfs
