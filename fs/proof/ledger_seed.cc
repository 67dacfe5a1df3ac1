#include "proof/ledger_seed.h"

#include <cerrno>

#include "catalog/adoptable.h"
#include "catalog/kept.h"
#include "catalog/namespace.h"
#include "catalog/tables.h"

namespace tusfs {
namespace {

constexpr char const* kSeededNote = "ledger";

// Nothing of a file that has no upload any more, or no name.
Result<std::optional<LedgerWriter::Row>> RowOf(View const& view, Inode const& inode,
                                               std::string const& server) {
  auto const upload = FindUpload(view, inode.upload);
  if (!upload) return Failure(upload.error());
  auto path = PathOf(view, inode);
  bool const is_known = path && *upload && (*upload)->phase == UploadPhase::kComplete;
  if (!path && path.error().code != ENOENT) return Failure(path.error());
  if (!is_known) return std::optional<LedgerWriter::Row>();
  auto blocks = ListDigests(view, inode.upload);
  if (!blocks) return Failure(blocks.error());
  Proof proof;
  proof.id = inode.upload;
  proof.fate = Fate::kUploaded;
  proof.proved = (*upload)->receipt.empty() ? ProvedBy::kNothing : ProvedBy::kOffset;
  proof.inode = inode.id;
  proof.path = *std::move(path);
  proof.size = inode.size;
  proof.modified = inode.modified;
  proof.begun = (*upload)->created;
  proof.at = inode.published != 0 ? inode.published : inode.changed;
  proof.upload = inode.upload;
  proof.digests = (*upload)->digests;
  proof.server = server;
  proof.receipt = (*upload)->receipt;
  if (AreOf(*blocks, inode.size)) {
    proof.root = RootOf(*blocks);
  } else {
    blocks->clear();
  }
  return std::optional(LedgerWriter::Row{std::move(proof), *std::move(blocks)});
}

}  // namespace

Result<void> SeedLedger(
    Store& store, FileTime now,
    std::function<Result<void>(std::vector<LedgerWriter::Row> const&)> const& append) {
  InodeId after = 0;
  std::string server;
  auto const begun = store.Read([&](View const& view) -> Result<bool> {
    auto const seeded = GetNote(view, kSeededNote);
    auto const endpoint = GetNote(view, kEndpointNote);
    if (!seeded || !endpoint) return Failure((seeded ? endpoint : seeded).error());
    server = ServerOf(*endpoint);
    return seeded->empty();
  });
  if (!begun) return Failure(begun.error());
  for (bool more = *begun; more;) {
    std::vector<LedgerWriter::Row> rows;
    auto const looked = store.Read([&](View const& view) -> Result<void> {
      auto const page = ListInodes(view, after, kPage);
      if (!page) return Failure(page.error());
      more = !page->empty();
      for (auto const& inode : *page) {
        after = inode.id;
        if (inode.links == 0 || !WasUploadedBefore(inode, now)) continue;
        auto row = RowOf(view, inode, server);
        if (!row) return Failure(row.error());
        if (*row) rows.push_back(**std::move(row));
      }
      return {};
    });
    if (!looked) return looked;
    if (auto appended = append(rows); !appended) return appended;
  }
  if (!*begun) return {};
  return store.Update([&](Transaction& transaction) -> Result<void> {
    PutNote(transaction, kSeededNote, "seeded");
    return {};
  });
}

}  // namespace tusfs
