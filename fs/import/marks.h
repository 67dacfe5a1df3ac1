// How a copy says of which original it is: an import that was cut off between "the copy is there"
// and "the original is gone" goes on from that, and copies nothing twice.
//
// The mark is an extended attribute of the copy, on disk before the copy has its name, and taken
// away behind the original's end. Any thread.
#pragma once

#include <sys/stat.h>

#include <string>
#include <string_view>

#include "base/error.h"

namespace tusfs {

constexpr char const* kImportMark = "user.tusfs-import";
/// The mark of a copy that is not whole yet.
constexpr char const* kCopying = "copying";

/// Of a file: as it is now, so that one that has changed since has another mark. Of a directory:
/// whatever is in it.
[[nodiscard]] std::string MarkOf(struct stat const& status);

/// Whether `name` in `directory` carries `mark`. Opens nothing.
[[nodiscard]] bool HasMark(int directory, std::string const& name, std::string_view mark);

/// Whether it carries any mark: of a copy, whole or not.
[[nodiscard]] bool IsMarked(int directory, std::string const& name);

/// Marks an open file or directory. Errors: of fsetxattr(2).
[[nodiscard]] Result<void> SetMark(int fd, std::string const& mark);

/// Takes the mark of `name` away. Where that fails it stays, and does no harm.
void TakeMarkAway(int directory, std::string const& name);

/// `name`, for `number` 0; "clip.imported-2.mov" for "clip.mov" and 2. 255 bytes at most.
[[nodiscard]] std::string NumberedName(std::string const& name, int number);

/// ".clip.mov.tusfs-import": a name that waits for its rename, as rsync's do, and that is sent as
/// "clip.mov" meanwhile; ".tusfs-import.clip…" where that would be too long, which does not tell
/// what it will be called. 255 bytes at most.
[[nodiscard]] std::string NameWhileCopied(std::string const& name);

}  // namespace tusfs
