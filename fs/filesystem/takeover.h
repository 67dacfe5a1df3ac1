// Going on where a daemon was killed, on the connection that it had: its files are opened again.
//
// Once, after Resume (recovery.h), before any other call of the filesystem and before the uploader
// starts, which would take an open file for as large as the catalog says.
#pragma once

#include "base/logger.h"
#include "catalog/store.h"
#include "filesystem/open_files.h"
#include "spool/spool.h"

namespace tusfs {

/// Adds the handles of `connection` to `open`. A file whose bytes are missing is logged and not
/// open any more. Errors: of the catalog, and where there are too many files to open.
[[nodiscard]] Result<void> ReopenFiles(Store& store, Spool& spool, OpenFiles& open,
                                       std::uint64_t connection, Logger const& logger);

}  // namespace tusfs
