// Files that are so small that what goes on around them costs more than their bytes.
//
// Plain functions, for the transfers.
#pragma once

#include "uploader/ledger.h"

namespace tusfs {

/// Finished, and goes out with one request. What it takes others need not wait for.
[[nodiscard]] inline bool IsSmall(Work const& work) {
  return work.finished() && !work.IsPart() && work.inode.size <= Version::kGranule;
}

/// Whether its last range was announced and nothing of it has been sent since, by this process.
[[nodiscard]] bool IsAnnouncedAhead(Work const& work, JobMemory const& memory);
/// The same, and the disk has it.
[[nodiscard]] bool MayBeSentNow(Work const& work, JobMemory const& memory);

}  // namespace tusfs
