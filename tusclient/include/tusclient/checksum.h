// Checksums of chunks (tus 1.0, checksum extension) and of whole uploads (RFC 9530).
//
// Values are the raw bytes of the digest, not hexadecimal and not base64.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "tusclient/data_source.h"
#include "tusclient/error.h"

namespace tus {

/// Best first: what an attacker cannot forge before what only finds accidents, and the cheaper one
/// of two as good.
enum class ChecksumAlgorithm { kSha256, kSha512, kSha1, kMd5, kCrc32 };

/// As tus names it: "sha256", "sha512", "sha1", "md5", "crc32".
[[nodiscard]] std::string_view Name(ChecksumAlgorithm algorithm);

/// The best of those that a server names in Tus-Checksum-Algorithm; nothing where none is known.
/// Names are compared as they are: servers tell them apart by case.
[[nodiscard]] std::optional<ChecksumAlgorithm> BestOf(std::vector<std::string> const& names);

/// Digests bytes as they come. Belongs to one thread at a time; movable.
class Hasher {
 public:
  explicit Hasher(ChecksumAlgorithm algorithm);
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;
  ~Hasher();

  void Update(std::span<std::byte const> bytes);

  /// The digest of all bytes so far; more may follow. A crc32 is its four bytes, highest first.
  /// Empty where libcrypto is configured without the algorithm.
  [[nodiscard]] std::string Digest() const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

/// The digest of bytes [offset, offset + length) of `source`. Errors: kSource, also where the
/// source ends before; kCancelled, within 100 ms.
[[nodiscard]] Result<std::string> DigestOf(DataSource& source, ChecksumAlgorithm algorithm,
                                           std::uint64_t offset, std::uint64_t length,
                                           std::stop_token stop = {});

}  // namespace tus
