// Finds which files have come to an end, good or bad, as the catalog is changed: uploaded, or stuck
// so that somebody is needed.
//
// A file passes into a state when a change of the catalog puts it there; what is in it already is
// not told again. Whoever is told in the same operation can write down that it has happened: then
// both are on record, or neither.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/logger.h"
#include "catalog/life.h"
#include "catalog/store.h"
#include "uploader/publish_rules.h"

namespace tusfs {

struct Passing {
  life::Standing into = life::Standing::kOpen;
  bool is_refused = false;  ///< kFailed: by the server; else the local disk has failed it
  InodeId inode = 0;
  std::string path;  ///< relative to the mount
  std::uint64_t size = 0;
  FileTime modified = 0;
  Uuid upload;         ///< nil: it had none yet
  std::string url;     ///< of the upload, without its secrets
  std::string reason;  ///< why it is stuck
};

/// Those of `transaction`, which has been decided and has not taken effect. Names that are never
/// uploaded are left out, and so is what is found again in a spool as uploaded long ago.
[[nodiscard]] std::vector<Passing> PassingsOf(Transaction const& transaction,
                                              PublishRules const& rules);

/// What a person reads of it, with the way out.
void LogPassing(Log& log, Passing const& passing);

}  // namespace tusfs
