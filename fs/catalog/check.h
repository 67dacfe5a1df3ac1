// Whether a catalog can be believed, as far as its rows can tell.
#pragma once

#include "base/error.h"
#include "catalog/store.h"

namespace tusfs {

/// Looks at every byte: each record can be read, and names and inodes agree with each other. A
/// damaged page may kill the process (SIGBUS, SIGSEGV), so a child is sent. Takes about 5 µs for
/// each name, and nothing changes meanwhile. Errors: EUCLEAN with what is wrong; LMDB's.
[[nodiscard]] Result<void> CheckCatalog(Store const& store);

}  // namespace tusfs
