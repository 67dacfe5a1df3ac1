// Which files and directories go before all others: marks that a person has set, by inode.
//
// Rows of the meta table, which a release that knows none of them leaves alone. Functions run
// inside the caller's Store::Read or Store::Update.
#pragma once

#include <set>

#include "catalog/records.h"
#include "catalog/store.h"

namespace tusfs {

void SetFirst(Transaction& transaction, InodeId inode, bool first);
[[nodiscard]] Result<std::set<InodeId>> ListFirst(View const& view);

/// Whether the inode is among `marked`, or a directory that its first name is beneath.
[[nodiscard]] bool IsBeneath(View const& view, Inode const& inode, std::set<InodeId> const& marked);

}  // namespace tusfs
