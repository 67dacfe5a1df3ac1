// The digests of a whole file, taken of its bytes as they go by in order: those of xxHash always,
// SHA-256 where it is wanted (OpenSSL's, with the processor's instructions).
//
// xxHash tells files apart, SHA-256 resists who wants two that look alike. Belongs to one thread at
// a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace tusfs {

/// Of all bytes of one file; empty where it was not taken.
struct WholeDigests {
  std::string xxh128;  ///< 16 bytes, in their canonical order
  std::string xxh3;    ///< 8 bytes, likewise: XXH3-64
  std::string sha256;  ///< 32 bytes
  std::string xxh64;   ///< 8 bytes, in their canonical order: what most media programs take

  bool operator==(WholeDigests const&) const = default;
};

class FileDigest {
 public:
  explicit FileDigest(bool with_sha256);
  FileDigest(FileDigest const&) = delete;
  FileDigest& operator=(FileDigest const&) = delete;
  ~FileDigest();

  /// Bytes of the file from byte `offset` on. What has gone by before, as when it is
  /// sent once more, is left out; so is what is behind a gap, and Digests has nothing then.
  void Pass(std::uint64_t offset, std::span<std::byte const> bytes);

  /// Of the first `size` bytes; nothing in it where not all of these have gone by, or more have.
  [[nodiscard]] WholeDigests Digests(std::uint64_t size) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
  std::uint64_t passed_ = 0;
};

/// In hexadecimal digits, as programs print digests.
[[nodiscard]] std::string Hex(std::string_view bytes);

}  // namespace tusfs
