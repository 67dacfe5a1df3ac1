// tusfsctl mhl: a Media Hash List (ASC MHL) of what is on the server beneath a directory, from the
// digests that the ledger has.
#pragma once

#include <string>

#include "mhl/manifest.h"
#include "proof/comparison.h"

namespace tusfs {

struct MhlOptions {
  std::string path{};       ///< a directory of a mount; empty: the only mount there is
  std::string state_dir{};  ///< in place of a mount
  std::string out{};        ///< a directory for the history; empty: the directory itself
  HashFormat format = HashFormat::kXxh64;
  bool reads = false;  ///< what is not known is read in the mount
};

/// The exit status: kDone; kStuck where not all is on the server, or the hash of a file is not
/// known: then nothing is written; kNoAnswer with a sentence.
[[nodiscard]] int WriteMhl(MhlOptions const& options);

/// Errors: EINVAL with a sentence that names the file and the line, and of reading.
[[nodiscard]] Result<Manifest> ReadManifestFile(std::string const& file);

/// What the manifest says of a file beside what the server has, where JudgeUnread has nothing to
/// say.
[[nodiscard]] FileVerdict JudgeManifest(MediaFile const& file, KnownFile const& known);

}  // namespace tusfs
