#include "base/block_digest.h"

#include <xxhash.h>

#include <cstring>
#include <new>

namespace tusfs {

struct BlockHasher::State {
  XXH3_state_t* const state = XXH3_createState();

  State() {
    if (state == nullptr) throw std::bad_alloc();
  }
  ~State() { XXH3_freeState(state); }
  State(State const&) = delete;
  State& operator=(State const&) = delete;
};

BlockHasher::BlockHasher() : state_(std::make_unique<State>()) { Reset(); }
BlockHasher::BlockHasher(BlockHasher&&) noexcept = default;
BlockHasher& BlockHasher::operator=(BlockHasher&&) noexcept = default;
BlockHasher::~BlockHasher() = default;

void BlockHasher::Update(std::span<std::byte const> bytes) {
  XXH3_128bits_update(state_->state, bytes.data(), bytes.size());
  length_ += static_cast<std::uint32_t>(bytes.size());
}

BlockDigest BlockHasher::Digest() const {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(state_->state));
  BlockDigest result{.length = length_, .digest = {}};
  static_assert(sizeof canonical.digest == sizeof result.digest);
  std::memcpy(result.digest.data(), canonical.digest, sizeof canonical.digest);
  return result;
}

void BlockHasher::Reset() {
  XXH3_128bits_reset(state_->state);
  length_ = 0;
}

}  // namespace tusfs
