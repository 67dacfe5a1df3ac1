// A file in memory, which sees to it that whoever reads it stays within the file and the budget.
#pragma once

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "base/fakes.h"
#include "content/why_not_whole.h"

namespace tusfs {

class MemorySource : public ByteSource {
 public:
  /// `bytes` outlive it. Of `size` bytes, those behind them are zero.
  explicit MemorySource(std::string_view bytes) : MemorySource(bytes, bytes.size()) {}
  MemorySource(std::string_view bytes, std::uint64_t size) : bytes_(bytes), size_(size) {}
  ~MemorySource() override {
    EXPECT_LE(read_, std::uint64_t{1} << 20);
    EXPECT_LE(reads_, 4096);
  }
  MemorySource(MemorySource const&) = delete;
  MemorySource& operator=(MemorySource const&) = delete;

  [[nodiscard]] std::uint64_t size() const override { return size_; }
  [[nodiscard]] Result<std::size_t> ReadAt(std::uint64_t offset,
                                           std::span<std::byte> out) const override {
    EXPECT_LE(offset, size_);
    EXPECT_LE(out.size(), size_ - offset);
    read_ += out.size();
    ++reads_;
    if (offset < fails_before) return Fail(EIO, "it has been trimmed");
    std::memset(out.data(), 0, out.size());
    if (offset < bytes_.size()) {
      auto const there = bytes_.substr(offset, out.size());
      std::memcpy(out.data(), there.data(), there.size());
    }
    return out.size();
  }

  std::uint64_t fails_before = 0;

 private:
  std::string_view const bytes_;
  std::uint64_t const size_;
  mutable std::uint64_t read_ = 0;
  mutable int reads_ = 0;
};

/// What is known against a file; "" where that is nothing.
inline std::string WhyNot(std::string_view bytes, std::string_view name) {
  MemorySource const source(bytes);
  auto const why = WhyNotWhole(source, name);
  EXPECT_TRUE(Ok(why));
  return why ? why->value_or("") : "";
}

}  // namespace tusfs
