// Digests of blocks: how bytes that were sent are told from bytes that only look like them.
//
// XXH3-128: it finds differences, it does not resist an attacker; whoever writes into the mount may
// publish there anyway.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace tusfs {

/// Block n of a file are its bytes from n * kDigestBlock on.
constexpr std::uint64_t kDigestBlock = std::uint64_t{4} << 20;

/// Of the first `length` bytes of a block.
struct BlockDigest {
  std::uint32_t length = 0;  ///< 1 to kDigestBlock
  std::array<std::uint8_t, 16> digest{};

  bool operator==(BlockDigest const&) const = default;
};

/// Digests the bytes of one block as they come. Belongs to one thread at a time.
class BlockHasher {
 public:
  BlockHasher();
  BlockHasher(BlockHasher&&) noexcept;
  BlockHasher& operator=(BlockHasher&&) noexcept;
  ~BlockHasher();

  /// At most kDigestBlock bytes in all.
  void Update(std::span<std::byte const> bytes);
  /// Of what has come so far.
  [[nodiscard]] BlockDigest Digest() const;
  void Reset();

 private:
  struct State;
  std::unique_ptr<State> state_;
  std::uint32_t length_ = 0;
};

}  // namespace tusfs
