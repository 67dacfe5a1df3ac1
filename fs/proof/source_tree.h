// What is on a card: its files by name, size and time, without reading them.
//
// Links are not followed. What cannot be looked at, and what is neither a file nor a directory, is
// an entry with a problem: nobody may take it for nothing. Of the calling thread alone.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"

namespace tusfs {

struct SourceEntry {
  std::string path;        ///< relative to the source
  std::uint64_t size = 0;  ///< bytes
  FileTime modified = 0;
  FileTime changed = 0;  ///< its inode: of what was written over with its old time, too
  bool is_junk = false;  ///< what desktops leave behind (IsJunk)
  std::string problem;   ///< why it cannot be read; empty for a file

  bool operator==(SourceEntry const&) const = default;
};

/// Every entry in order of its path. `source`: a directory, or one file, which has its name for a
/// path. Errors: ENOENT and the like, with a sentence, where there is none.
[[nodiscard]] Result<std::vector<SourceEntry>> ListSource(std::filesystem::path const& source);

/// Whether it is the file that was listed, and nobody has written to it since.
[[nodiscard]] bool IsAsListed(struct stat const& status, SourceEntry const& entry);

/// A name, or one within a directory of such a name, that file managers make by themselves:
/// ".DS_Store", "Thumbs.db", ".Trashes/…".
[[nodiscard]] bool IsJunk(std::string_view path);

}  // namespace tusfs
