// Bodies as long as one likes.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "tusclient/data_source.h"

namespace tus {

/// Zeros; counts how often it is read.
class ZeroSource : public DataSource {
 public:
  Result<std::size_t> ReadAt(std::uint64_t, std::span<std::byte> out) override {
    std::fill(out.begin(), out.end(), std::byte{0});
    ++reads;
    return out.size();
  }
  std::atomic<int> reads = 0;
};

/// The byte at each offset is known; at most `most` come at once.
class PatternSource : public DataSource {
 public:
  explicit PatternSource(std::size_t most = std::size_t{1} << 20) : most_(most) {}

  static char At(std::uint64_t offset) { return static_cast<char>(offset * 31 % 251); }

  Result<std::size_t> ReadAt(std::uint64_t offset, std::span<std::byte> out) override {
    out = out.first(std::min(out.size(), most_));
    for (auto& byte : out) byte = static_cast<std::byte>(At(offset++));
    return out.size();
  }

 private:
  std::size_t most_;
};

}  // namespace tus
