// Where what is known of files is read: the ledger of a mount, whether it is mounted or not.
#pragma once

#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "control/place.h"
#include "proof/ledger_files.h"

namespace tusfs {

struct Evidence {
  std::optional<Place> place;  ///< nothing: the state directory alone
  std::filesystem::path state_dir;
  std::string path;    ///< relative to the mount, "" for all
  std::string behind;  ///< why what became of files lately may be missing; empty: it is up to date
};

/// Of `given`, a path beneath a mount; or of `state_dir`, where that is not empty, and `given` is
/// relative to the mount: of that mount, where there is one. The daemon is asked to bring the
/// ledger up to date. Errors: ENOENT with a sentence.
[[nodiscard]] Result<Evidence> FindEvidence(std::string const& given, std::string const& state_dir);

/// null for an empty text.
[[nodiscard]] nlohmann::json OrNull(std::string_view text);

/// VisitLedger, which says on standard error what is damaged. `damaged`: called too; may be empty.
/// A row that is just being written is no damage.
[[nodiscard]] Result<void> VisitEvidence(Evidence const& evidence,
                                         std::function<bool(LedgerRow const&)> const& visit,
                                         std::function<void()> const& damaged = {});

}  // namespace tusfs
