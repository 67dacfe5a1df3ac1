// Where a tusfs mount may differ from a local filesystem, and why. Whatever is not in this table
// is the same, or a test fails.
#pragma once

#include <array>
#include <string_view>

#include "posix/transcript.h"

namespace tusfs_testing {

struct Tolerance {
  std::string_view call;  // begins so, or the heading that it stands under does
  std::string_view here;  // and what the mount gives instead begins so
  std::string_view why;
};

inline constexpr std::array kTolerances = {
    Tolerance{"open(\".\", O_TMPFILE", "EOPNOTSUPP", "a file that never had a name has no target"},
    Tolerance{"fallocate(fd, FALLOC_FL_COLLAPSE_RANGE", "EOPNOTSUPP", "would move bytes"},
    Tolerance{"fallocate(fd, FALLOC_FL_INSERT_RANGE", "EOPNOTSUPP", "would move bytes"},
    Tolerance{"fallocate(fd, FALLOC_FL_UNSHARE_RANGE", "EOPNOTSUPP", "nothing is shared"},
    Tolerance{"renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_WHITEOUT", "EINVAL",
              "whiteouts are for overlayfs"},
    Tolerance{"open a device", "EACCES", "a mount by FUSE is nodev"},
    Tolerance{"chown to nobody new", "", "the kernel does not say that it was a chown"},
    Tolerance{"a sparse file takes less room", "no", "blocks are counted as they will be sent"},
    Tolerance{"a directory that is gone", "ENOENT", "a directory goes with its name"},
    // FUSE's rule for set-group-ID: without group execute it makes no program anybody's, and stays.
    Tolerance{"lstat file", "-2644 ", "set-group-ID without group execute"},
    Tolerance{"lstat file", "-2767 ", "set-group-ID without group execute"},
    Tolerance{"fstat", "-2767 ", "set-group-ID without group execute"},
};

/// The reason to accept `here` of the mount in place of another outcome; empty: there is none.
[[nodiscard]] constexpr std::string_view WhyTolerated(std::string_view heading, Line const& here) {
  for (auto const& tolerance : kTolerances) {
    bool const applies =
        here.what.starts_with(tolerance.call) || heading.starts_with(tolerance.call);
    if (applies && here.outcome.starts_with(tolerance.here)) return tolerance.why;
  }
  return {};
}

}  // namespace tusfs_testing
