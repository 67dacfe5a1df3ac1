#include "content/reader.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <limits>
#include <span>

namespace tusfs::content {

std::string Reader::At(std::uint64_t offset, std::size_t length) {
  if (!Has(offset, length) || length == 0 || is_spent_ || failure_) return {};
  is_spent_ = reads_ == kMostReads || length > kMostBytes - bytes_;
  if (is_spent_) return {};
  ++reads_;
  bytes_ += length;
  std::string bytes(length, '\0');
  auto const read = source_.ReadAt(offset, std::as_writable_bytes(std::span(bytes)));
  if (!read) {
    failure_ = read.error();
    return {};
  }
  if (*read != length) {
    failure_ = Error{EIO, "it has become shorter"};
    return {};
  }
  return bytes;
}

std::string Reader::UpTo(std::uint64_t offset, std::size_t length) {
  if (offset >= size_) return {};
  return At(offset, std::min<std::uint64_t>(length, size_ - offset));
}

std::string Reader::Tail(std::size_t length) {
  return UpTo(size_ - std::min<std::uint64_t>(length, size_), length);
}

std::uint64_t BigEndian(std::string_view bytes, std::size_t at, std::size_t length) {
  std::uint64_t number = 0;
  for (auto const byte : bytes.substr(at, length)) {
    number = number << 8 | static_cast<unsigned char>(byte);
  }
  return number;
}

std::uint64_t LittleEndian(std::string_view bytes, std::size_t at, std::size_t length) {
  std::string turned(bytes.substr(at, length));
  std::reverse(turned.begin(), turned.end());
  return BigEndian(turned, 0, length);
}

std::uint64_t Plus(std::uint64_t a, std::uint64_t b) {
  auto const most = std::numeric_limits<std::uint64_t>::max();
  return b > most - a ? most : a + b;
}

bool IsZero(std::string_view bytes) {
  // Each byte is the one before it.
  return !bytes.empty() && bytes[0] == '\0' &&
         std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0;
}

std::string_view WithoutZerosBehind(std::string_view bytes) {
  auto const last = bytes.find_last_not_of('\0');
  return last == std::string_view::npos ? std::string_view() : bytes.substr(0, last + 1);
}

std::string SizeInWords(std::uint64_t bytes) {
  constexpr std::array kUnits{"kB", "MB", "GB", "TB", "PB", "EB"};
  if (bytes < 1000) return std::to_string(bytes) + (bytes == 1 ? " byte" : " bytes");
  auto amount = static_cast<double>(bytes) / 1000;
  std::size_t unit = 0;
  for (; amount >= 999.95 && unit + 1 < kUnits.size(); ++unit) amount /= 1000;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f %s", amount, kUnits.at(unit));
  return text.data();
}

std::string SaysMore(std::string const& what, std::uint64_t said, std::uint64_t has) {
  auto said_words = SizeInWords(said);
  auto has_words = SizeInWords(has);
  if (said_words == has_words) {
    said_words = std::to_string(said) + " bytes";
    has_words = std::to_string(has);
  }
  return what + " says " + said_words + ", the file has " + has_words;
}

std::string AtByte(std::uint64_t offset) { return "byte " + std::to_string(offset); }

std::string EndsInZeros() {
  return "ends with " + std::to_string(kHollowTail) + " zero bytes or more";
}

}  // namespace tusfs::content
