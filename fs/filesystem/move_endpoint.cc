#include "filesystem/move_endpoint.h"

#include <vector>

#include "catalog/give_up.h"
#include "catalog/life.h"
#include "catalog/namespace.h"
#include "catalog/parts.h"
#include "catalog/tables.h"
#include "filesystem/recovery.h"

namespace tusfs {
namespace {

AfterMove WhatBecomesOf(Inode const& inode, std::optional<Upload> const& upload) {
  if (inode.trimmed > 0) return AfterMove::kStays;
  if (MayBePublished(upload)) return AfterMove::kUnconfirmed;
  return life::IsFinished(inode) ? AfterMove::kSent : AfterMove::kSentLater;
}

// Its address leads nowhere from now on, and must not be asked for it.
Result<void> LeaveUnconfirmed(Transaction& transaction, Upload& upload, std::string const& name) {
  if (upload.HasParts()) {
    if (auto forgotten = ForgetParts(transaction, upload.id); !forgotten) return forgotten;
    upload.part_size = 0;
  }
  life::Unconfirm(upload);
  upload.url.clear();
  upload.error = "its end was sent to " + name + ", which has not confirmed it";
  PutUpload(transaction, upload);
  return {};
}

// Nobody adopts it when the file gets other bytes one day: it is the old server's.
Result<void> KeepUploaded(Transaction& transaction, Inode const& inode) {
  auto upload = FindUpload(transaction, inode.upload);
  if (!upload) return Failure(upload.error());
  if (!*upload || (*upload)->created == 0) return {};
  (*upload)->created = 0;
  PutUpload(transaction, **upload);
  return {};
}

Result<void> MoveFile(Transaction& transaction, Inode& inode, std::string const& name) {
  if (inode.type != FileType::kRegular) return {};
  if (life::IsUploaded(inode)) return KeepUploaded(transaction, inode);
  auto upload = FindUpload(transaction, inode.upload);
  if (!upload) return Failure(upload.error());
  if (!*upload) return {};
  if (WhatBecomesOf(inode, *upload) == AfterMove::kUnconfirmed) {
    return LeaveUnconfirmed(transaction, **upload, name);
  }
  inode.upload = Uuid{};
  PutInode(transaction, inode);
  return DeleteUpload(transaction, **upload);
}

/// `visit` for every inode, a page of them in one transaction.
Result<void> ChangeInodes(Store& store,
                          std::function<Result<void>(Transaction&, Inode&)> const& change) {
  for (InodeId after = 0;;) {
    auto const last = store.Update([&](Transaction& transaction) -> Result<InodeId> {
      auto page = ListInodes(transaction, after, kPage);
      if (!page) return Failure(page.error());
      for (auto& inode : *page) {
        if (auto changed = change(transaction, inode); !changed) return Failure(changed.error());
      }
      return page->empty() ? InodeId{0} : page->back().id;
    });
    if (!last) return Failure(last.error());
    if (*last == 0) return {};
    after = *last;
  }
}

Result<void> ForgetOwnerless(Store& store) {
  auto const ids = store.Read([](View const& view) { return ListOwnerless(view); });
  if (!ids) return Failure(ids.error());
  for (auto const& id : *ids) {
    auto const forgotten = store.Update([&](Transaction& transaction) -> Result<void> {
      auto const upload = FindUpload(transaction, id);
      if (!upload) return Failure(upload.error());
      return *upload ? DeleteUpload(transaction, **upload) : Result<void>();
    });
    if (!forgotten) return forgotten;
  }
  return {};
}

}  // namespace

Result<MoveSummary> PlanMove(Store const& store,
                             std::function<void(MovedFile const&)> const& tell) {
  MoveSummary summary;
  auto from = store.Read([](View const& view) { return GetNote(view, kEndpointNote); });
  if (!from) return Failure(from.error());
  summary.from = *std::move(from);
  auto const visited =
      VisitInodes(store, {}, [&](View const& view, Inode const& inode) -> Result<void> {
        if (inode.type != FileType::kRegular || inode.links == 0) return {};
        if (life::IsUploaded(inode)) {
          ++summary.uploaded;
          return {};
        }
        auto const upload = FindUpload(view, inode.upload);
        if (!upload) return Failure(upload.error());
        auto path = PathOf(view, inode);
        if (!path) return Failure(path.error());
        auto const what = WhatBecomesOf(inode, *upload);
        if (what == AfterMove::kStays) ++summary.staying;
        tell({what, *std::move(path), inode.size});
        return {};
      });
  if (!visited) return Failure(visited.error());
  return summary;
}

Result<void> MoveToEndpoint(Store& store, std::string const& endpoint, std::string const& name) {
  auto moved = ChangeInodes(store, [&](Transaction& transaction, Inode& inode) {
    return MoveFile(transaction, inode, name);
  });
  if (moved) moved = ForgetOwnerless(store);
  if (!moved) return moved;
  // Last: what was moved so far is as well at the old server.
  auto const noted = store.Update([&](Transaction& transaction) -> Result<void> {
    PutNote(transaction, kEndpointNote, endpoint);
    return {};
  });
  return noted ? store.Sync() : noted;
}

}  // namespace tusfs
