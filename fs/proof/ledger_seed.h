// What was uploaded before there was a ledger: rows of it are made of what the catalog still knows.
#pragma once

#include <functional>
#include <vector>

#include "base/clock.h"
#include "catalog/store.h"
#include "proof/ledger_files.h"

namespace tusfs {

/// Once in the life of a catalog: calls `append` with rows of the files that were uploaded before
/// `now`, page by page, and notes that it is done. Killed in between it is begun again, and makes
/// the same rows under the same ids. How such a file was proved nobody kept: it is by its offset
/// where the server's last answer is there, else by nothing. Errors: of the store, and of `append`.
[[nodiscard]] Result<void> SeedLedger(
    Store& store, FileTime now,
    std::function<Result<void>(std::vector<LedgerWriter::Row> const&)> const& append);

}  // namespace tusfs
