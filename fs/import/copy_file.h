// The copy of a file that is taken into the mount: bytes, attributes, and both on disk.
#pragma once

#include <string>

#include "base/error.h"
#include "import/original.h"

namespace tusfs {

/// The attributes of users (user.*), the times, permissions (no set-id bits) and the owner of
/// `from`, whose mark `to` gets. Errors: a sentence.
[[nodiscard]] Result<void> CopyAttributes(int from, struct stat const& status, int to);

/// Times of access and of the last change. Errors: a sentence.
[[nodiscard]] Result<void> SetTimes(struct stat const& status, int to);

/// Makes `name` in `directory` a copy of `original`: written, read again and compared, with its
/// attributes and its mark, and on disk, but for its name, when this returns. What an import that
/// was cut off has left there is replaced; what is somebody else's is not. Errors: EBUSY where the
/// original changes meanwhile; EEXIST where something else has that name; EIO where the copy has
/// other bytes; and of the calls. With a sentence; nothing of that name stays then.
[[nodiscard]] Result<void> CopyFile(Original const& original, int directory,
                                    std::string const& name);

}  // namespace tusfs
