// The hashes of ASC MHL, by name, and taken of bytes.
//
// Media Hash Lists name files with a hash of each in one of several formats; some of these the
// ledger knows of each upload (base/file_digest.h), the others have to be taken by reading.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/file_digest.h"

namespace tusfs {

enum class HashFormat { kXxh64, kXxh3, kXxh128, kMd5, kSha1, kC4 };
inline constexpr std::array kHashFormats{HashFormat::kXxh64, HashFormat::kXxh3, HashFormat::kXxh128,
                                         HashFormat::kMd5,   HashFormat::kSha1, HashFormat::kC4};

/// "xxh64", "xxh3", "xxh128", "md5", "sha1", "c4".
[[nodiscard]] std::string_view NameOf(HashFormat format);
[[nodiscard]] std::optional<HashFormat> HashFormatOf(std::string_view name);

/// What is known of a file without reading it, as a manifest has it; nothing where it is not.
[[nodiscard]] std::optional<std::string> KnownHash(WholeDigests const& digests, HashFormat format);

/// Takes a hash of bytes as they come. Belongs to one thread.
class MediaHasher {
 public:
  explicit MediaHasher(HashFormat format);
  MediaHasher(MediaHasher const&) = delete;
  MediaHasher& operator=(MediaHasher const&) = delete;
  ~MediaHasher();

  void Update(std::span<std::byte const> bytes);
  /// As a manifest has it; once. Nothing where OpenSSL does not have the hash (MD5 under FIPS).
  [[nodiscard]] std::optional<std::string> Take();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// SMPTE ST 2114: "c4" and 88 digits of base 58, of a SHA-512.
[[nodiscard]] std::string C4Of(std::string_view sha512);

}  // namespace tusfs
