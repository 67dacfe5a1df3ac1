// A pattern of files that a file waits for, which may have parts of that file's own path in it.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"
#include "base/glob.h"

namespace tusfs {

/// `pattern` for the file at `path` (relative to the mount). {dir} is its directory, {name} its
/// name and {stem} that without its last extension; they stand for themselves, whatever characters
/// they have. Errors: EINVAL with a sentence, for braces with anything else in them and for what
/// Glob refuses.
[[nodiscard]] Result<Glob> FillIn(std::string const& pattern, std::string_view path);

}  // namespace tusfs
