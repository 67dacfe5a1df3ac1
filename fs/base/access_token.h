// The secret word by which whoever asks over a socket that anybody can reach shows who he is.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/error.h"

namespace tusfs {

/// What `path` holds, without the end of its line. Errors: of reading it; EINVAL with a sentence
/// where it is not 16 to 256 letters, digits, '.', '_', '~' and '-'. Neither has the token in it.
[[nodiscard]] Result<std::string> ReadAccessToken(std::filesystem::path const& path);

/// The same where there is one; else one of 128 random bits is made, and written to `path` with
/// mode 0600. Errors: as above, and of writing.
[[nodiscard]] Result<std::string> ReadOrMakeAccessToken(std::filesystem::path const& path);

/// In a time that does not tell how much of them is the same.
[[nodiscard]] bool IsSameToken(std::string_view given, std::string_view token);

}  // namespace tusfs
