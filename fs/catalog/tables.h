// Typed rows of the catalog: inodes with their index of unfinished work, handles, uploads with
// their index of ownerless ones, replies.
//
// Each function is one row or one small scan inside the caller's Store::Read or Store::Update;
// durability and threads are the Store's. VisitInodes and VisitWork alone look many times.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <vector>

#include "catalog/records.h"
#include "catalog/store.h"

namespace tusfs {

/// Errors: ENOENT where there is none, EUCLEAN for a damaged record.
[[nodiscard]] Result<Inode> GetInode(View const& view, InodeId id);

/// Writes the inode, and keeps the indexes: of work, every regular file that is not uploaded, and
/// of what is kept (kept.h).
void PutInode(Transaction& transaction, Inode const& inode);
/// With its extended attributes.
[[nodiscard]] Result<void> DeleteInode(Transaction& transaction, Inode const& inode);

/// As many rows as one look at the catalog takes, so that nobody else waits for long.
constexpr std::size_t kPage = 256;

/// The regular files that are not uploaded, behind `after`, at most `limit`, in order of number.
[[nodiscard]] Result<std::vector<InodeId>> ListWork(View const& view, InodeId after,
                                                    std::size_t limit);

/// Calls `visit(inode)` for each of them in order of number, with no look at the catalog open, and
/// a page of them in memory. Ends early when it is told to stop.
[[nodiscard]] Result<void> VisitWork(Store const& store, std::stop_token const& stop,
                                     std::function<void(InodeId)> const& visit);

/// The inodes behind `after`, at most `limit`, in order of number.
[[nodiscard]] Result<std::vector<Inode>> ListInodes(View const& view, InodeId after,
                                                    std::size_t limit);

/// Calls `visit(view, inode)` for every inode in order of number, some in one look, with pauses in
/// which others get in; needs no more memory for more of them. One that is there all the time is
/// visited, whatever changes meanwhile. Ends early when it is told to stop. Errors: EUCLEAN for a
/// damaged record, and the first one of `visit`.
[[nodiscard]] Result<void> VisitInodes(
    Store const& store, std::stop_token stop,
    std::function<Result<void>(View const&, Inode const&)> const& visit);

/// Extended attributes: bytes of any kind under a name. Nothing where there is none of the name.
[[nodiscard]] Result<std::optional<std::string>> FindXattr(View const& view, InodeId inode,
                                                           std::string_view name);
void PutXattr(Transaction& transaction, InodeId inode, std::string_view name,
              std::string_view value);
void DeleteXattr(Transaction& transaction, InodeId inode, std::string_view name);
/// In order of name.
[[nodiscard]] Result<std::vector<std::string>> ListXattrs(View const& view, InodeId inode);
/// Up to `limit` of all there are, behind the one that `after` gives ({}: from the first one on).
struct XattrKey {
  InodeId inode = 0;
  std::string name{};
};
[[nodiscard]] Result<std::vector<XattrKey>> ListAllXattrs(View const& view, XattrKey const& after,
                                                          std::size_t limit);

[[nodiscard]] Result<Handle> GetHandle(View const& view, HandleId id);
void PutHandle(Transaction& transaction, Handle const& handle);
void DeleteHandle(Transaction& transaction, HandleId id);
[[nodiscard]] Result<std::vector<Handle>> ListHandles(View const& view);

/// Nothing for a nil or unknown uuid.
[[nodiscard]] Result<std::optional<Upload>> FindUpload(View const& view, Uuid const& id);
/// Writes the upload, and keeps the index of those that lost their owner.
void PutUpload(Transaction& transaction, Upload const& upload);
/// With its digests, and the records of its parts.
[[nodiscard]] Result<void> DeleteUpload(Transaction& transaction, Upload const& upload);
[[nodiscard]] Result<std::vector<Upload>> ListUploads(View const& view);
/// Those that lost their owner.
[[nodiscard]] Result<std::vector<Uuid>> ListOwnerless(View const& view);

/// Takes the inode's upload away from it: the inode will need a new one. The old one is ownerless.
/// `adoptable`: it is as the catalog says, and another body of the same bytes may take it over;
/// otherwise it can never become right. Writes the upload, not the inode. Returns the uuid of an
/// ownerless upload that somebody has to end one day.
[[nodiscard]] Result<std::optional<Uuid>> DetachUpload(Transaction& transaction, Inode& inode,
                                                       bool adoptable = true);

/// The reply of the request `unique` of `connection`; nothing where the slot has another one.
[[nodiscard]] Result<std::optional<Reply>> FindReply(View const& view, std::uint64_t connection,
                                                     std::uint32_t slot, std::uint64_t unique);
/// Replaces the reply of the slot's request before.
void PutReply(Transaction& transaction, Reply const& reply);

/// Numbers of the mount as a whole, kept across restarts.
struct Totals {
  std::uint64_t sent = 0;    ///< body bytes over the wire
  std::uint64_t resent = 0;  ///< of these, bytes that had been sent before
  /// Interrupted files that were given up to make room, and their bytes.
  std::uint64_t dropped_files = 0;
  std::uint64_t dropped_bytes = 0;
};
[[nodiscard]] Result<Totals> GetTotals(View const& view);
/// What a changed row (Store::Observe) says, where it is theirs.
[[nodiscard]] std::optional<Totals> TotalsIn(Table table, std::string_view key,
                                             std::optional<std::string_view> value);
void PutTotals(Transaction& transaction, Totals const& totals);

/// Small texts of the mount as a whole, such as its endpoint and the boot that it last ran in.
/// The server that the uploads of a catalog are at; may have a secret.
constexpr char const* kEndpointNote = "endpoint";
[[nodiscard]] Result<std::string> GetNote(View const& view, std::string_view key);
void PutNote(Transaction& transaction, std::string_view key, std::string const& text);

}  // namespace tusfs
