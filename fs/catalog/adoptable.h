// What the catalog keeps of an upload so that another body of the same bytes can take it over.
//
// Rows: digests (uuid + group → the digests of up to 64 blocks in a row, without a gap from block 0
// on), targets (a hash of the path + uuid, of each upload that has lost its owner and may be
// adopted; the hash alone → the uuid of the upload that was published last under the path, for as
// long as its record is kept). Functions run inside the caller's Store::Read or Store::Update.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/block_digest.h"
#include "catalog/records.h"
#include "catalog/store.h"

namespace tusfs {

/// Nothing where it was not kept.
[[nodiscard]] Result<std::optional<BlockDigest>> FindDigest(View const& view, Uuid const& upload,
                                                            std::uint64_t block);
/// Of all blocks that are known, from the first one on.
[[nodiscard]] Result<std::vector<BlockDigest>> ListDigests(View const& view, Uuid const& upload);
/// Of the blocks from `first` on; replaces what was known of these, and forgets later ones of their
/// group. Errors: EINVAL where they would leave a gap.
[[nodiscard]] Result<void> PutDigests(Transaction& transaction, Uuid const& upload,
                                      std::uint64_t first, std::span<BlockDigest const> digests);
[[nodiscard]] Result<void> DeleteDigests(Transaction& transaction, Uuid const& upload);

/// The ownerless uploads that were declared under `path`.
[[nodiscard]] Result<std::vector<Upload>> ListAdoptable(View const& view, std::string_view path);
void PutTarget(Transaction& transaction, Upload const& upload);
void DeleteTarget(Transaction& transaction, Upload const& upload);
[[nodiscard]] Result<bool> IsAdoptable(View const& view, Upload const& upload);

// Who looks on the server for what was published under a path finds what came last. So an upload
// that is complete may be adopted as it is only while Upload::last holds. These change the record
// in memory, for the caller to put, and that of the one before it.

/// What publishes the upload is about to be sent.
[[nodiscard]] Result<void> WillBeLast(Transaction& transaction, Upload& upload);
/// It was published. Where another one was on its way at the same time, nobody knows which came
/// last: then none did.
[[nodiscard]] Result<void> WasPublished(Transaction& transaction, Upload& upload);
/// It has lost its owner. A catalog of the release before does not know who was last.
[[nodiscard]] Result<void> CheckLast(Transaction& transaction, Upload& upload);
/// Its record goes.
[[nodiscard]] Result<void> ForgetLast(Transaction& transaction, Upload const& upload);

}  // namespace tusfs
