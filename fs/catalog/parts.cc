#include "catalog/parts.h"

#include <algorithm>
#include <string>
#include <utility>

#include "catalog/adoptable.h"
#include "catalog/codec.h"
#include "catalog/life.h"
#include "catalog/tables.h"

namespace tusfs {
namespace {

constexpr std::size_t kHeader = 4096;  // bytes of Upload-Concat, which begins with "final;"
constexpr std::size_t kHeaderBegin = 6;
/// More of them would be more to ask for and to join than they save.
constexpr std::size_t kMostParts = 96;
constexpr std::size_t kPartsOfOneSize = 8;

std::string PartKey(Uuid const& whole, std::uint64_t begin) {
  return std::string(reinterpret_cast<char const*>(whole.bytes.data()), whole.bytes.size()) +
         Key(begin);
}

/// With where each begins.
Result<std::vector<std::pair<std::uint64_t, Uuid>>> RowsOf(View const& view, Uuid const& whole) {
  auto const prefix = PartKey(whole, 0).substr(0, whole.bytes.size());
  std::vector<std::pair<std::uint64_t, Uuid>> rows;
  auto const scanned =
      view.Scan(Table::kParts, prefix, "", [&](std::string_view key, std::string_view value) {
        rows.emplace_back(KeyNumber(key, prefix.size()), Decoder(value).Id());
        return true;
      });
  if (!scanned) return Failure(scanned.error());
  return rows;
}

/// What a whole leaves behind that has no parts any more.
Result<void> DeleteRows(Transaction& transaction, Uuid const& whole) {
  auto const rows = RowsOf(transaction, whole);
  if (!rows) return Failure(rows.error());
  for (auto const& [begin, id] : *rows) transaction.Delete(Table::kParts, PartKey(whole, begin));
  return {};
}

void CountIn(Upload& whole, Upload const& part) {
  whole.sent += part.sent;
  whole.requests += part.requests;
}

// Each part's follow those of the one before it, block by block. None, where one does not know its
// own.
Result<void> TakeDigests(Transaction& transaction, Upload const& whole,
                         std::vector<Upload> const& parts) {
  std::vector<BlockDigest> digests;
  std::uint64_t end = 0;
  for (auto const& part : parts) {
    auto const its = ListDigests(transaction, part.id);
    if (!its) return Failure(its.error());
    auto const length = part.length.value_or(0);
    auto const blocks = (length + kDigestBlock - 1) / kDigestBlock;
    if (part.begin != end || its->size() < blocks) return {};
    digests.insert(digests.end(), its->begin(), its->begin() + static_cast<std::ptrdiff_t>(blocks));
    end += length;
  }
  return PutDigests(transaction, whole.id, 0, digests);
}

}  // namespace

// ---- where they begin

std::size_t MostParts(std::size_t url_length) {
  auto const most = std::min((kHeader - kHeaderBegin) / (url_length + 1), kMostParts);
  return most < 2 ? 0 : most;
}

ByteRange GridPart(std::uint64_t part_size, std::size_t index) {
  auto const doubled = index / kPartsOfOneSize;
  auto const size = part_size << doubled;
  // All of the sizes before: eight times 1 + 2 + … of the first one.
  auto const before = kPartsOfOneSize * (size - part_size);
  auto const begin = before + index % kPartsOfOneSize * size;
  return {begin, begin + size};
}

std::vector<ByteRange> LayOut(std::uint64_t part_size, std::size_t most, std::uint64_t size) {
  std::vector<ByteRange> parts;
  while (parts.empty() || parts.back().end < size) {
    auto part = GridPart(part_size, parts.size());
    bool const is_last = part.end >= size || parts.size() + 1 == most;
    if (is_last) part.end = size;
    parts.push_back(part);
  }
  return parts;
}

// ---- rows

ByteRange RangeOf(Upload const& part) { return {part.begin, part.begin + part.length.value_or(0)}; }

Result<std::vector<std::uint64_t>> ListChangedParts(View const& view, Uuid const& whole) {
  auto const rows = RowsOf(view, whole);
  if (!rows) return Failure(rows.error());
  std::vector<std::uint64_t> begins;
  for (auto const& [begin, id] : *rows) {
    if (id.IsNil()) begins.push_back(begin);
  }
  return begins;
}

void NoteChangedPart(Transaction& transaction, Upload const& part) {
  transaction.Put(Table::kParts, PartKey(part.whole, part.begin), Encoder().Id({}).Take());
}

Result<std::vector<Upload>> ListParts(View const& view, Uuid const& whole) {
  auto const rows = RowsOf(view, whole);
  if (!rows) return Failure(rows.error());
  std::vector<Upload> parts;
  for (auto const& [begin, id] : *rows) {
    // Asked for one by one: a scan does not see what this operation has taken away.
    auto part = FindPart(view, whole, begin);
    if (!part) return Failure(part.error());
    if (*part) parts.push_back(**std::move(part));
  }
  return parts;
}

Result<std::optional<Upload>> FindPart(View const& view, Uuid const& whole, std::uint64_t begin) {
  auto const row = view.Get(Table::kParts, PartKey(whole, begin));
  if (!row) return Failure(row.error());
  if (!*row) return std::optional<Upload>();
  return FindUpload(view, Decoder(**row).Id());
}

Result<bool> IsPartOfItsWhole(View const& view, Upload const& part) {
  if (part.owner == 0) return false;
  auto const own = FindPart(view, part.whole, part.begin);
  if (!own) return Failure(own.error());
  return *own && (*own)->id == part.id;
}

void PutPart(Transaction& transaction, Upload const& part) {
  transaction.Put(Table::kParts, PartKey(part.whole, part.begin), Encoder().Id(part.id).Take());
  PutUpload(transaction, part);
}

Result<void> ForgetPartRow(Transaction& transaction, Upload const& part) {
  auto const key = PartKey(part.whole, part.begin);
  auto const row = transaction.Get(Table::kParts, key);
  if (!row) return Failure(row.error());
  if (*row && Decoder(**row).Id() == part.id) transaction.Delete(Table::kParts, key);
  return {};
}

Result<std::uint64_t> ConfirmedInParts(View const& view, Uuid const& whole) {
  auto const parts = ListParts(view, whole);
  if (!parts) return Failure(parts.error());
  std::uint64_t confirmed = 0;
  for (auto const& part : *parts) confirmed += part.offset;
  return confirmed;
}

Result<std::optional<Uuid>> TakeAwayPart(Transaction& transaction, Upload& whole, Upload part) {
  CountIn(whole, part);
  transaction.Delete(Table::kParts, PartKey(whole.id, part.begin));
  if (part.url.empty()) {
    if (auto gone = DeleteUpload(transaction, part); !gone) return Failure(gone.error());
    return std::optional<Uuid>();
  }
  part.owner = 0;
  PutUpload(transaction, part);
  return std::optional(part.id);
}

Result<std::vector<Uuid>> TakeAwayParts(Transaction& transaction, Upload whole,
                                        std::vector<Upload> const& parts, PartsChanged changed) {
  std::vector<Uuid> ownerless;
  for (auto const& listed : parts) {
    auto const part = FindPart(transaction, whole.id, listed.begin);
    if (!part) return Failure(part.error());
    if (!*part || (*part)->id != listed.id) continue;
    auto const away = TakeAwayPart(transaction, whole, **part);
    if (!away) return Failure(away.error());
    if (*away) ownerless.push_back(**away);
    if (changed == PartsChanged::kYes) NoteChangedPart(transaction, **part);
  }
  if (auto put = PutWhole(transaction, whole); !put) return Failure(put.error());
  return ownerless;
}

Result<void> PutWhole(Transaction& transaction, Upload& whole) {
  auto const confirmed = ConfirmedInParts(transaction, whole.id);
  if (!confirmed) return Failure(confirmed.error());
  whole.offset = *confirmed;
  whole.handed = std::max(whole.handed, whole.offset);  // its parts have counted it
  PutUpload(transaction, whole);
  return {};
}

Result<void> ForgetParts(Transaction& transaction, Uuid const& whole) {
  auto const parts = ListParts(transaction, whole);
  if (!parts) return Failure(parts.error());
  for (auto const& part : *parts) {
    if (auto gone = DeleteUpload(transaction, part); !gone) return gone;
  }
  return DeleteRows(transaction, whole);
}

Result<std::vector<Uuid>> JoinParts(Transaction& transaction, Upload& whole, bool ends) {
  auto const parts = ListParts(transaction, whole.id);
  if (!parts) return Failure(parts.error());
  if (auto taken = TakeDigests(transaction, whole, *parts); !taken) return Failure(taken.error());
  std::vector<Uuid> ownerless;
  for (auto const& part : *parts) {
    auto const away = TakeAwayPart(transaction, whole, part);
    if (!away) return Failure(away.error());
    if (!*away) continue;
    if (ends) {
      ownerless.push_back(**away);
    } else if (auto gone = DeleteUpload(transaction, part); !gone) {
      return Failure(gone.error());
    }
  }
  if (auto gone = DeleteRows(transaction, whole.id); !gone) return Failure(gone.error());
  whole.part_size = 0;
  return ownerless;
}

Result<std::vector<Uuid>> DissolveParts(Transaction& transaction, Upload const& whole) {
  auto const parts = ListParts(transaction, whole.id);
  if (!parts) return Failure(parts.error());
  std::vector<Uuid> ownerless;
  auto gone = whole;
  for (auto const& part : *parts) {
    auto const away = TakeAwayPart(transaction, gone, part);
    if (!away) return Failure(away.error());
    if (*away) ownerless.push_back(**away);
  }
  if (auto deleted = DeleteUpload(transaction, whole); !deleted) return Failure(deleted.error());
  return ownerless;
}

Result<std::optional<Uuid>> DetachWhole(Transaction& transaction, Upload whole, bool adoptable) {
  auto const parts = ListParts(transaction, whole.id);
  if (!parts) return Failure(parts.error());
  bool const is_made = std::any_of(parts->begin(), parts->end(),
                                   [](Upload const& part) { return !part.url.empty(); });
  // Of an upload that refers to its parts, they are the bytes.
  bool const may_be_joined =
      life::MayBePublished(whole.phase) || whole.lost_an_end || whole.end == UploadEnd::kSent;
  if (may_be_joined || !is_made) {
    if (auto deleted = DeleteUpload(transaction, whole); !deleted) return Failure(deleted.error());
    return std::optional<Uuid>();
  }
  whole.owner = 0;
  whole.at_rest = 0;
  PutUpload(transaction, whole);
  bool const is_usable = whole.phase == UploadPhase::kParts && whole.created != 0;
  if (adoptable && is_usable) PutTarget(transaction, whole);
  return std::optional(whole.id);
}

}  // namespace tusfs
