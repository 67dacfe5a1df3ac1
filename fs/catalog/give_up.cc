#include "catalog/give_up.h"

namespace tusfs {

bool MayBePublished(std::optional<Upload> const& upload) {
  if (!upload) return false;
  return upload->phase == UploadPhase::kFinalSent || upload->phase == UploadPhase::kComplete ||
         upload->phase == UploadPhase::kUnconfirmed || upload->phase == UploadPhase::kVerifying;
}

std::optional<std::string> WhyNotGivenUp(Inode const& inode, Upload const& upload, GiveUpFor why) {
  if (inode.trimmed > 0) {
    return "its first " + std::to_string(inode.trimmed) +
           " bytes are on the server only (trim=confirmed)";
  }
  if (why == GiveUpFor::kTrouble && MayBePublished(upload)) return "it may be published";
  return std::nullopt;
}

}  // namespace tusfs
