// What became of files, for those who answer for them later: the rows of the ledger (fs/proof) on
// their way to its files.
//
// The order is what makes the ledger complete. The operation that makes a file uploaded puts its
// proof too, so both are in one record of the journal: after a crash there are both of them, or
// neither, and a neither is uploaded again. A proof stays here until the ledger has it on disk
// (proof/ledger_keeper.h), which deletes it only then; killed between the two, it is written once
// more, under the id that it had. So whatever is uploaded for good has a row in the end, at least
// one, and those of one id are one. MarkUploaded (kept.h) is called here alone, but by who rebuilds
// a lost catalog: Sources.GoOneWayAndAreOfOneForm.
//
// Rows: proofs (time + id → proof). Functions run inside the caller's Store::Read or Store::Update.
#pragma once

#include <string>
#include <vector>

#include "catalog/proof_record.h"
#include "catalog/records.h"
#include "catalog/store.h"

namespace tusfs {

/// The file is finished and the server has all of it, as `proved` says: it is uploaded, and that
/// has its proof. The caller puts both records. Nothing happens to what is not finished (life.h).
[[nodiscard]] Result<void> MarkUploadedWithProof(Transaction& transaction, Inode& inode,
                                                 Upload const& upload, ProvedBy proved,
                                                 FileTime now);

/// What else became of a file, which still has its names. `upload`: null for none.
[[nodiscard]] Result<void> PutProof(Transaction& transaction, Fate fate, Inode const& inode,
                                    Upload const* upload, std::string reason, FileTime now);

/// The oldest, at most `limit`.
[[nodiscard]] Result<std::vector<Proof>> ListProofs(View const& view, std::size_t limit);
/// The ledger has them.
void DeleteProofs(Transaction& transaction, std::vector<Proof> const& proofs);

}  // namespace tusfs
