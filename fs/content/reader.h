// What the judge of a format sees of a file: any bytes that are there, within a budget.
//
// When the budget is spent or a read fails, nothing more is there, and whatever was concluded does
// not count: see is_spent and failure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "content/byte_source.h"

namespace tusfs::content {

/// Why a file cannot be whole; nothing where nothing is known against it.
using Verdict = std::optional<std::string>;

class Reader {
 public:
  static constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 20;
  static constexpr int kMostReads = 4096;

  /// `source` outlives it.
  explicit Reader(ByteSource const& source) : source_(source), size_(source.size()) {}

  [[nodiscard]] std::uint64_t size() const { return size_; }

  /// `length` bytes at `offset`; empty where they are not all there.
  [[nodiscard]] std::string At(std::uint64_t offset, std::size_t length);

  /// As At, but fewer at the end.
  [[nodiscard]] std::string UpTo(std::uint64_t offset, std::size_t length);

  /// The last `length` bytes, or all.
  [[nodiscard]] std::string Tail(std::size_t length);

  /// Whether there are `length` bytes at `offset`, as far as the size tells.
  [[nodiscard]] bool Has(std::uint64_t offset, std::uint64_t length) const {
    return offset <= size_ && length <= size_ - offset;
  }

  [[nodiscard]] bool is_spent() const { return is_spent_; }
  [[nodiscard]] std::optional<Error> const& failure() const { return failure_; }

 private:
  ByteSource const& source_;
  std::uint64_t const size_;
  std::uint64_t bytes_ = 0;
  int reads_ = 0;
  bool is_spent_ = false;
  std::optional<Error> failure_;
};

/// Numbers of up to 8 bytes at `at`, which there are.
[[nodiscard]] std::uint64_t BigEndian(std::string_view bytes, std::size_t at, std::size_t length);
[[nodiscard]] std::uint64_t LittleEndian(std::string_view bytes, std::size_t at,
                                         std::size_t length);

/// The sum, or the largest number there is.
[[nodiscard]] std::uint64_t Plus(std::uint64_t a, std::uint64_t b);

/// Whether there are bytes, and all of them are zero.
[[nodiscard]] bool IsZero(std::string_view bytes);

[[nodiscard]] std::string_view WithoutZerosBehind(std::string_view bytes);

/// "512 bytes", "4.1 GB".
[[nodiscard]] std::string SizeInWords(std::uint64_t bytes);

/// "its mdat says 4.1 GB, the file has 2.3 GB", where `said` is more than `has`.
[[nodiscard]] std::string SaysMore(std::string const& what, std::uint64_t said, std::uint64_t has);

/// "byte 4096".
[[nodiscard]] std::string AtByte(std::uint64_t offset);

/// So many zero bytes at the end of a file that cannot end with them show that it is hollow.
inline constexpr std::size_t kHollowTail = 65'536;
[[nodiscard]] std::string EndsInZeros();

}  // namespace tusfs::content
