// The words by which people and scripts know what the ledger has; scripts depend on them.
#pragma once

#include <optional>
#include <string_view>

#include "catalog/proof_record.h"

namespace tusfs {

/// "uploaded", "accepted", "unconfirmed", "refused", "discarded", "dropped", "removed".
[[nodiscard]] std::string_view NameOf(Fate fate);
[[nodiscard]] std::optional<Fate> FateOf(std::string_view name);

/// "offset", "head", "download", "person"; empty for nothing.
[[nodiscard]] std::string_view NameOf(ProvedBy proved);

}  // namespace tusfs
