// A few small texts as one .tar.gz (POSIX ustar), which any tar unpacks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.h"

namespace tusfs {

struct ArchiveMember {
  std::string name;  ///< with its directory, up to 100 bytes
  std::string text;
};

/// Each is a file of mode 0600, changed at `modified` (seconds since 1970), of nobody by name.
/// Errors: ENAMETOOLONG; EFBIG past 2 GiB together; ENOMEM.
[[nodiscard]] Result<std::string> TarGz(std::vector<ArchiveMember> const& members,
                                        std::int64_t modified);

}  // namespace tusfs
