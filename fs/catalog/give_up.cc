#include "catalog/give_up.h"

#include "catalog/life.h"

namespace tusfs {

bool MayBePublished(std::optional<Upload> const& upload) {
  return upload && life::MayBePublished(upload->phase);
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
