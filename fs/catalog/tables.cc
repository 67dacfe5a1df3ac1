#include "catalog/tables.h"

#include <cerrno>
#include <chrono>
#include <thread>

#include "catalog/adoptable.h"
#include "catalog/codec.h"
#include "catalog/kept.h"
#include "catalog/life.h"
#include "catalog/parts.h"

namespace tusfs {
namespace {

constexpr char const* kTotalsKey = "totals";
constexpr std::chrono::microseconds kLongestLook{250};
constexpr std::chrono::microseconds kPauseBetweenLooks{100};

std::string UuidKey(Uuid const& id) {
  return std::string(reinterpret_cast<char const*>(id.bytes.data()), id.bytes.size());
}

Uuid KeyUuid(std::string_view key) { return Decoder(key).Id(); }

// Collects the decoded rows of a table.
template <typename Record, typename Decode>
Result<std::vector<Record>> List(View const& view, Table table, Decode const& decode) {
  std::vector<Record> records;
  std::optional<Error> damage;
  auto scanned = view.Scan(table, "", "", [&](std::string_view key, std::string_view value) {
    auto record = decode(key, value);
    if (record) {
      records.push_back(std::move(*record));
    } else {
      damage = record.error();
    }
    return !damage;
  });
  if (!scanned) return Failure(scanned.error());
  if (damage) return Failure(*damage);
  return records;
}

}  // namespace

Result<Inode> GetInode(View const& view, InodeId id) {
  auto row = view.Get(Table::kInodes, Key(id));
  if (!row) return Failure(row.error());
  if (!*row) return Fail(ENOENT);
  return DecodeInode(id, **row);
}

void PutInode(Transaction& transaction, Inode const& inode) {
  transaction.Put(Table::kInodes, Key(inode.id), Encode(inode));
  if (inode.type != FileType::kRegular) return;
  if (life::IsUploaded(inode)) {
    transaction.Delete(Table::kWork, Key(inode.id));
  } else {
    transaction.Put(Table::kWork, Key(inode.id), {});
  }
  IndexKept(transaction, inode);
}

Result<void> DeleteInode(Transaction& transaction, Inode const& inode) {
  auto const xattrs = ListXattrs(transaction, inode.id);
  if (!xattrs) return Failure(xattrs.error());
  for (auto const& name : *xattrs) DeleteXattr(transaction, inode.id, name);
  transaction.Delete(Table::kInodes, Key(inode.id));
  if (inode.type != FileType::kRegular) return {};
  transaction.Delete(Table::kWork, Key(inode.id));
  UnindexKept(transaction, inode);
  return {};
}

Result<std::optional<std::string>> FindXattr(View const& view, InodeId inode,
                                             std::string_view name) {
  return view.Get(Table::kXattrs, Key(inode, name));
}

void PutXattr(Transaction& transaction, InodeId inode, std::string_view name,
              std::string_view value) {
  transaction.Put(Table::kXattrs, Key(inode, name), std::string(value));
}

void DeleteXattr(Transaction& transaction, InodeId inode, std::string_view name) {
  transaction.Delete(Table::kXattrs, Key(inode, name));
}

Result<std::vector<std::string>> ListXattrs(View const& view, InodeId inode) {
  std::vector<std::string> names;
  auto const prefix = Key(inode);
  auto scanned = view.Scan(Table::kXattrs, prefix, "", [&](std::string_view key, std::string_view) {
    names.emplace_back(key.substr(prefix.size()));
    return true;
  });
  if (!scanned) return Failure(scanned.error());
  return names;
}

Result<std::vector<XattrKey>> ListAllXattrs(View const& view, XattrKey const& after,
                                            std::size_t limit) {
  std::vector<XattrKey> all;
  auto const inode_size = Key(after.inode).size();
  auto const first = Key(after.inode, after.name) + '\0';
  auto scanned = view.Scan(Table::kXattrs, "", first, [&](std::string_view key, std::string_view) {
    all.push_back({KeyNumber(key.substr(0, inode_size)), std::string(key.substr(inode_size))});
    return all.size() < limit;
  });
  if (!scanned) return Failure(scanned.error());
  return all;
}

Result<std::vector<InodeId>> ListWork(View const& view, InodeId after, std::size_t limit) {
  std::vector<InodeId> inodes;
  auto scanned =
      view.Scan(Table::kWork, "", Key(after + 1), [&](std::string_view key, std::string_view) {
        inodes.push_back(KeyNumber(key));
        return inodes.size() < limit;
      });
  if (!scanned) return Failure(scanned.error());
  return inodes;
}

Result<void> VisitWork(Store const& store, std::stop_token const& stop,
                       std::function<void(InodeId)> const& visit) {
  for (InodeId after = 0; !stop.stop_requested();) {
    auto const page = store.Read([&](View const& view) { return ListWork(view, after, kPage); });
    if (!page) return Failure(page.error());
    if (page->empty()) break;
    for (auto const inode : *page) visit(inode);
    after = page->back();
  }
  return {};
}

Result<std::vector<Inode>> ListInodes(View const& view, InodeId after, std::size_t limit) {
  std::vector<Inode> inodes;
  std::optional<Error> damage;
  auto scanned = view.Scan(Table::kInodes, "", Key(after + 1),
                           [&](std::string_view key, std::string_view value) {
                             auto inode = DecodeInode(KeyNumber(key), value);
                             if (!inode) {
                               damage = inode.error();
                               return false;
                             }
                             inodes.push_back(std::move(*inode));
                             return inodes.size() < limit;
                           });
  if (!scanned) return Failure(scanned.error());
  if (damage) return Failure(*damage);
  return inodes;
}

Result<void> VisitInodes(Store const& store, std::stop_token stop,
                         std::function<Result<void>(View const&, Inode const&)> const& visit) {
  InodeId after = 0;
  bool more = true;
  while (more && !stop.stop_requested()) {
    auto const looked = store.Read([&](View const& view) -> Result<void> {
      // By time, because rows that are not in memory take a hundred times longer.
      auto const end = std::chrono::steady_clock::now() + kLongestLook;
      std::optional<Error> failure;
      more = false;
      auto const look = [&](std::string_view key, std::string_view value) {
        after = KeyNumber(key);
        auto const inode = DecodeInode(after, value);
        auto const visited = inode ? visit(view, *inode) : Result<void>(Failure(inode.error()));
        if (!visited) failure = visited.error();
        more = std::chrono::steady_clock::now() >= end;
        return !failure && !more;
      };
      auto const scanned = view.Scan(Table::kInodes, "", Key(after + 1), look);
      if (failure) return Failure(*failure);
      return scanned;
    });
    if (!looked) return looked;
    store.LetGoOfPages();
    // A lock that is let go and taken again at once is not given to those who wait.
    std::this_thread::sleep_for(kPauseBetweenLooks);
  }
  return {};
}

Result<Handle> GetHandle(View const& view, HandleId id) {
  auto row = view.Get(Table::kHandles, Key(id));
  if (!row) return Failure(row.error());
  if (!*row) return Fail(EBADF);
  return DecodeHandle(id, **row);
}

void PutHandle(Transaction& transaction, Handle const& handle) {
  transaction.Put(Table::kHandles, Key(handle.id), Encode(handle));
}

void DeleteHandle(Transaction& transaction, HandleId id) {
  transaction.Delete(Table::kHandles, Key(id));
}

Result<std::vector<Handle>> ListHandles(View const& view) {
  return List<Handle>(view, Table::kHandles, [](std::string_view key, std::string_view value) {
    return DecodeHandle(KeyNumber(key), value);
  });
}

Result<std::optional<Upload>> FindUpload(View const& view, Uuid const& id) {
  if (id.IsNil()) return std::optional<Upload>();
  auto row = view.Get(Table::kUploads, UuidKey(id));
  if (!row) return Failure(row.error());
  if (!*row) return std::optional<Upload>();
  auto upload = DecodeUpload(id, **row);
  if (!upload) return Failure(upload.error());
  return std::optional<Upload>(std::move(*upload));
}

void PutUpload(Transaction& transaction, Upload const& upload) {
  transaction.Put(Table::kUploads, UuidKey(upload.id), Encode(upload));
  if (upload.owner == 0) {
    transaction.Put(Table::kOwnerless, UuidKey(upload.id), {});
  } else {
    transaction.Delete(Table::kOwnerless, UuidKey(upload.id));
  }
}

Result<void> DeleteUpload(Transaction& transaction, Upload const& upload) {
  if (upload.HasParts()) {
    if (auto forgotten = ForgetParts(transaction, upload.id); !forgotten) return forgotten;
  }
  if (upload.IsPart()) {
    if (auto forgotten = ForgetPartRow(transaction, upload); !forgotten) return forgotten;
  }
  transaction.Delete(Table::kUploads, UuidKey(upload.id));
  transaction.Delete(Table::kOwnerless, UuidKey(upload.id));
  DeleteTarget(transaction, upload);
  if (auto forgotten = ForgetLast(transaction, upload); !forgotten) return forgotten;
  return DeleteDigests(transaction, upload.id);
}

Result<std::vector<Upload>> ListUploads(View const& view) {
  return List<Upload>(view, Table::kUploads, [](std::string_view key, std::string_view value) {
    return DecodeUpload(KeyUuid(key), value);
  });
}

Result<std::vector<Uuid>> ListOwnerless(View const& view) {
  std::vector<Uuid> ids;
  auto scanned = view.Scan(Table::kOwnerless, "", "", [&](std::string_view key, std::string_view) {
    ids.push_back(KeyUuid(key));
    return true;
  });
  if (!scanned) return Failure(scanned.error());
  return ids;
}

Result<std::optional<Uuid>> DetachUpload(Transaction& transaction, Inode& inode, bool adoptable) {
  auto found = FindUpload(transaction, inode.upload);
  if (!found) return Failure(found.error());
  inode.upload = Uuid{};
  if (!*found) return std::optional<Uuid>();
  auto& upload = **found;
  if (upload.HasParts()) return DetachWhole(transaction, std::move(upload), adoptable);
  bool const on_server = !upload.url.empty();
  bool const sent = upload.frontier > 0;
  bool const published = upload.phase == UploadPhase::kComplete;
  adoptable = adoptable && sent && upload.created != 0 && upload.phase != UploadPhase::kRefused &&
              upload.phase != UploadPhase::kUnconfirmed;
  if (!on_server || (published && !adoptable)) {
    // Nothing to clean up there: it was never made, or it belongs to the ingest now.
    if (auto deleted = DeleteUpload(transaction, upload); !deleted) return Failure(deleted.error());
    return std::optional<Uuid>();
  }
  if (auto checked = CheckLast(transaction, upload); !checked) return Failure(checked.error());
  upload.owner = 0;
  upload.at_rest = 0;
  PutUpload(transaction, upload);
  if (adoptable) PutTarget(transaction, upload);
  return std::optional<Uuid>(upload.id);
}

Result<std::optional<Reply>> FindReply(View const& view, std::uint64_t connection,
                                       std::uint32_t slot, std::uint64_t unique) {
  auto row = view.Get(Table::kReplies, Key(slot));
  if (!row) return Failure(row.error());
  if (!*row) return std::optional<Reply>();
  auto reply = DecodeReply(slot, **row);
  if (!reply) return Failure(reply.error());
  if (reply->connection != connection || reply->unique != unique) return std::optional<Reply>();
  return std::optional<Reply>(*reply);
}

void PutReply(Transaction& transaction, Reply const& reply) {
  transaction.Put(Table::kReplies, Key(reply.slot), Encode(reply));
}

std::optional<Totals> TotalsIn(Table table, std::string_view key,
                               std::optional<std::string_view> value) {
  if (table != Table::kMeta || key != kTotalsKey || !value) return std::nullopt;
  Totals totals;
  Decoder decoder(*value);
  totals.sent = decoder.Number<std::uint64_t>();
  totals.resent = decoder.Number<std::uint64_t>();
  totals.dropped_files = decoder.Number<std::uint64_t>();  // 0 in those of a release before
  totals.dropped_bytes = decoder.Number<std::uint64_t>();
  return totals;
}

Result<Totals> GetTotals(View const& view) {
  auto const row = view.Get(Table::kMeta, kTotalsKey);
  if (!row) return Failure(row.error());
  return TotalsIn(Table::kMeta, kTotalsKey, *row).value_or(Totals());
}

void PutTotals(Transaction& transaction, Totals const& totals) {
  transaction.Put(Table::kMeta, kTotalsKey,
                  Encoder()
                      .Number(totals.sent)
                      .Number(totals.resent)
                      .Number(totals.dropped_files)
                      .Number(totals.dropped_bytes)
                      .Take());
}

Result<std::string> GetNote(View const& view, std::string_view key) {
  auto row = view.Get(Table::kMeta, "note." + std::string(key));
  if (!row) return Failure(row.error());
  return row->value_or("");
}

void PutNote(Transaction& transaction, std::string_view key, std::string const& text) {
  transaction.Put(Table::kMeta, "note." + std::string(key), text);
}

}  // namespace tusfs
