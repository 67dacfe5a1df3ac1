#include "catalog/codec.h"

#include <algorithm>

namespace tusfs {

Encoder& Encoder::Text(std::string_view text) {
  Number(static_cast<std::uint32_t>(text.size()));
  bytes_.append(text);
  return *this;
}

Encoder& Encoder::Id(Uuid const& uuid) {
  bytes_.append(reinterpret_cast<char const*>(uuid.bytes.data()), uuid.bytes.size());
  return *this;
}

Uuid Decoder::Id() {
  Uuid uuid;
  auto const raw = Raw(uuid.bytes.size());
  std::copy(raw.begin(), raw.end(), uuid.bytes.begin());
  return uuid;
}

std::string_view Decoder::Raw(std::size_t size) {
  if (size > bytes_.size()) {
    ok_ = false;
    bytes_ = {};
    return {};
  }
  auto const raw = bytes_.substr(0, size);
  bytes_.remove_prefix(size);
  return raw;
}

namespace {

void AppendBigEndian(std::string& key, std::uint64_t number) {
  for (int shift = 56; shift >= 0; shift -= 8) {
    key.push_back(static_cast<char>((number >> shift) & 0xff));
  }
}

}  // namespace

std::string Key(std::uint64_t number) { return Key(number, std::string_view{}); }

std::string Key(std::uint64_t number, std::string_view rest) {
  std::string key;
  key.reserve(sizeof number + rest.size());
  AppendBigEndian(key, number);
  key.append(rest);
  return key;
}

std::string Key(std::uint64_t first, std::uint64_t second) {
  std::string key;
  AppendBigEndian(key, first);
  AppendBigEndian(key, second);
  return key;
}

std::uint64_t KeyNumber(std::string_view key, std::size_t position) {
  std::uint64_t number = 0;
  if (key.size() < position + sizeof number) return 0;
  for (std::size_t i = 0; i < sizeof number; ++i) {
    number = (number << 8) | static_cast<std::uint8_t>(key[position + i]);
  }
  return number;
}

}  // namespace tusfs
