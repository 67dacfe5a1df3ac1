#include "spool/written_digests.h"

#include <algorithm>

namespace tusfs {

void WrittenDigests::Wrote(std::uint64_t offset, std::span<std::byte const> bytes) {
  auto const end = offset + bytes.size();
  if (offset != hashed_to_) {
    Changed(offset, end);
    // From the next block on, where this write reaches it, it can be followed again.
    auto const boundary = (offset + kDigestBlock - 1) / kDigestBlock * kDigestBlock;
    if (boundary >= end) return;
    bytes = bytes.subspan(static_cast<std::size_t>(boundary - offset));
    hashed_to_ = boundary;
    if (hasher_) hasher_->Reset();
  }
  while (!bytes.empty()) {
    if (!hasher_) hasher_.emplace();
    auto const block = hashed_to_ / kDigestBlock;
    auto const room = (block + 1) * kDigestBlock - hashed_to_;
    auto const part =
        bytes.first(static_cast<std::size_t>(std::min<std::uint64_t>(room, bytes.size())));
    whole_.erase(block);  // what was known of it is written over
    hasher_->Update(part);
    hashed_to_ += part.size();
    bytes = bytes.subspan(part.size());
    if (hashed_to_ % kDigestBlock != 0) break;
    whole_[block] = hasher_->Digest();
    hasher_->Reset();
  }
}

void WrittenDigests::Changed(std::uint64_t begin, std::uint64_t end) {
  if (begin >= end) return;
  auto const last = (end - 1) / kDigestBlock;
  if (last / 2 > whole_.size()) {  // a truncation: walk over what there is
    std::erase_if(whole_, [&](auto const& row) {
      return row.first >= begin / kDigestBlock && row.first <= last;
    });
  } else {
    for (auto block = begin / kDigestBlock; block <= last; ++block) whole_.erase(block);
  }
  auto const hashing = hashed_to_ / kDigestBlock * kDigestBlock;
  if (begin >= hashed_to_ || end <= hashing) return;
  // The block that is being followed is not what was seen of it; a write at its first byte begins
  // it anew.
  hashed_to_ = hashing;
  if (hasher_) hasher_->Reset();
}

std::optional<BlockDigest> WrittenDigests::Find(std::uint64_t block) const {
  auto const found = whole_.find(block);
  if (found == whole_.end()) return std::nullopt;
  return found->second;
}

}  // namespace tusfs
