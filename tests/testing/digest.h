// Digests as the fixture server checks them, apart from tusclient's: a bug that both share must not
// go unnoticed.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tusfs_testing {

/// The digest of `bytes`, raw, by an algorithm as tus names it: sha1, md5, crc32, sha256, sha512.
/// Nothing for any other name; a crc32 has its highest byte first.
[[nodiscard]] std::optional<std::string> DigestOf(std::string_view algorithm,
                                                  std::string_view bytes);

}  // namespace tusfs_testing
