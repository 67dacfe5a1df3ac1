// The byte grammar under the catalog's records and the journal's.
//
//   number   fixed width, little endian (in keys: big endian, so that keys sort as numbers)
//   text     u32 length, then that many bytes
//
// A Decoder never reads past its input: it turns bad once and for all, and Finished() says whether
// everything was there and nothing was left over.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/ids.h"

namespace tusfs {

class Encoder {
 public:
  template <std::integral T>
  Encoder& Number(T value) {
    auto bits = static_cast<std::uint64_t>(value);
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      bytes_.push_back(static_cast<char>(bits & 0xff));
      bits >>= 8;
    }
    return *this;
  }
  Encoder& Text(std::string_view text);
  Encoder& Id(Uuid const& uuid);

  [[nodiscard]] std::string Take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : bytes_(bytes) {}

  template <std::integral T>
  T Number() {
    std::uint64_t bits = 0;
    auto const raw = Raw(sizeof(T));
    for (std::size_t i = raw.size(); i-- > 0;) {
      bits = (bits << 8) | static_cast<std::uint8_t>(raw[i]);
    }
    return static_cast<T>(bits);
  }
  std::string Text() { return std::string(TextView()); }
  /// As Text, in the bytes that are read.
  std::string_view TextView() { return Raw(Number<std::uint32_t>()); }
  Uuid Id();

  /// What was read cannot be right.
  void Spoil() { ok_ = false; }

  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool Finished() const { return ok_ && bytes_.empty(); }
  [[nodiscard]] bool empty() const { return bytes_.empty(); }

 private:
  std::string_view Raw(std::size_t size);

  std::string_view bytes_;
  bool ok_ = true;
};

/// Keys of numbers and of a number followed by bytes.
[[nodiscard]] std::string Key(std::uint64_t number);
[[nodiscard]] std::string Key(std::uint64_t number, std::string_view rest);
[[nodiscard]] std::string Key(std::uint64_t first, std::uint64_t second);

/// The number at byte `position` of a key; 0 where the key is too short.
[[nodiscard]] std::uint64_t KeyNumber(std::string_view key, std::size_t position = 0);

}  // namespace tusfs
