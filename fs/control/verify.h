// tusfsctl verify: may this card be formatted? What the server has confirmed, file by file, beside
// the files of a source, with one sentence at the end. It asks no server.
#pragma once

#include <string>
#include <vector>

#include "proof/comparison.h"

namespace tusfs {

struct VerifyOptions {
  std::string source{};     ///< empty with `mhl`
  std::string mhl{};        ///< a manifest that stands for the source; empty: the source is read
  std::string path{};       ///< where in the mount it belongs; empty: the only mount there is
  std::string state_dir{};  ///< in place of a mount
  std::vector<PathMapping> mappings{};
  std::string receipt{};  ///< a file to write; empty: none
  int jobs = 4;
  bool counts_junk = false;
  bool as_json = false;
};

/// The exit status: kDone only where everything is on the server; kStuck where anything is not, or
/// is in doubt; kNoAnswer with a sentence where nothing could be compared.
[[nodiscard]] int Verify(VerifyOptions const& options);

/// "FROM=TO", relative paths. Errors: EINVAL with a sentence.
[[nodiscard]] Result<PathMapping> ParseMapping(std::string const& text);

}  // namespace tusfs
