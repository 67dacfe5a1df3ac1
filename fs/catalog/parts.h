// Uploads that go in parts (tus: concatenation): where each part begins, and their rows.
//
// The *whole* is the file's upload, and has no URL until its parts are joined; each part is an
// upload of its own, with Upload::whole. Rows: the whole's uuid + the part's first byte → the
// part's uuid, nil where its bytes were changed when they had been sent. Parts begin at multiples
// of kDigestBlock, so that the digests of the file's blocks are the part's own. Functions run
// inside the caller's Store::Read or Store::Update.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "base/byte_ranges.h"
#include "catalog/records.h"
#include "catalog/store.h"

namespace tusfs {

/// How many parts an upload may have, by the longest of their URLs as they are joined: the header
/// that names all of them has 4 KiB at most. 0 where not even two fit.
[[nodiscard]] std::size_t MostParts(std::size_t url_length);

/// The part `index` (from 0 on) of a file that may still grow: eight of `part_size` bytes, eight of
/// twice as many, and so on, so that a few parts are enough for a large file.
[[nodiscard]] ByteRange GridPart(std::uint64_t part_size, std::size_t index);

/// The parts of a file of `size` bytes (> 0), at most `most` (> 0): the grid's, up to the file's
/// end. The last one that may be has all that is left.
[[nodiscard]] std::vector<ByteRange> LayOut(std::uint64_t part_size, std::size_t most,
                                            std::uint64_t size);

/// Its bytes, in the file.
[[nodiscard]] ByteRange RangeOf(Upload const& part);

/// In order of their first byte.
[[nodiscard]] Result<std::vector<Upload>> ListParts(View const& view, Uuid const& whole);
/// The one that begins at byte `begin`; nothing where there is none.
[[nodiscard]] Result<std::optional<Upload>> FindPart(View const& view, Uuid const& whole,
                                                     std::uint64_t begin);
/// Whether it still is one of its whole's.
[[nodiscard]] Result<bool> IsPartOfItsWhole(View const& view, Upload const& part);
/// The record and its row.
void PutPart(Transaction& transaction, Upload const& part);

/// Its row goes, where that is still its own.
[[nodiscard]] Result<void> ForgetPartRow(Transaction& transaction, Upload const& part);

/// Bytes that the server has confirmed, of all its parts.
[[nodiscard]] Result<std::uint64_t> ConfirmedInParts(View const& view, Uuid const& whole);

/// Where those begin that were taken away because their bytes were changed.
[[nodiscard]] Result<std::vector<std::uint64_t>> ListChangedParts(View const& view,
                                                                  Uuid const& whole);
/// A part that was taken away was so because its bytes were changed.
void NoteChangedPart(Transaction& transaction, Upload const& part);

/// The whole goes on without this part, which is ownerless: returns its uuid, to be terminated;
/// nothing where it was never made. What it took is the whole's (in memory, for the caller to put).
[[nodiscard]] Result<std::optional<Uuid>> TakeAwayPart(Transaction& transaction, Upload& whole,
                                                       Upload part);

enum class PartsChanged : bool { kNo, kYes };
/// The same for several, as far as they are its own, and writes the whole. kYes: their bytes were
/// changed (NoteChangedPart). Returns those that have to be terminated.
[[nodiscard]] Result<std::vector<Uuid>> TakeAwayParts(Transaction& transaction, Upload whole,
                                                      std::vector<Upload> const& parts,
                                                      PartsChanged changed);

/// Writes the whole, with what the server has of its parts now.
[[nodiscard]] Result<void> PutWhole(Transaction& transaction, Upload& whole);

/// The records of the whole's parts go; what is on the server stays.
[[nodiscard]] Result<void> ForgetParts(Transaction& transaction, Uuid const& whole);

/// The whole was made of its parts: it has their digests, what they took, and no parts any more
/// (in memory, for the caller to put). `ends`: they become ownerless; returns their uuids.
/// Otherwise their records go.
[[nodiscard]] Result<std::vector<Uuid>> JoinParts(Transaction& transaction, Upload& whole,
                                                  bool ends);

/// A whole that nobody wants goes: its parts are ownerless. Returns their uuids, to be terminated.
[[nodiscard]] Result<std::vector<Uuid>> DissolveParts(Transaction& transaction,
                                                      Upload const& whole);

/// DetachUpload, for a whole. Where it may be joined its parts are left alone, and their records
/// go.
[[nodiscard]] Result<std::optional<Uuid>> DetachWhole(Transaction& transaction, Upload whole,
                                                      bool adoptable);

}  // namespace tusfs
