#include "tusclient/metadata.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "fail.h"
#include "text.h"

namespace tus {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string EncodeBase64(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  while (!bytes.empty()) {
    auto const group = bytes.substr(0, 3);
    bytes.remove_prefix(group.size());
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      bits = bits << 8 | (i < group.size() ? static_cast<unsigned char>(group[i]) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      text += i <= group.size() ? kAlphabet[bits >> (18 - 6 * i) & 63] : '=';
    }
  }
  return text;
}

std::optional<std::string> DecodeBase64(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::size_t padding = 0;
  while (padding < 2 && !text.empty() && text.back() == '=') {
    text.remove_suffix(1);
    ++padding;
  }
  std::string bytes;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (char const c : text) {
    auto const digit = kAlphabet.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> count & 0xFF);
  }
  return bytes;
}

bool IsKey(std::string_view key) {
  return !key.empty() && std::all_of(key.begin(), key.end(),
                                     [](char c) { return c > ' ' && c <= '~' && c != ','; });
}

bool Contains(Metadata const& metadata, std::string_view key) {
  return std::any_of(metadata.begin(), metadata.end(),
                     [&](auto const& pair) { return pair.first == key; });
}

}  // namespace

Result<std::string> EncodeMetadata(Metadata const& metadata) {
  std::string header;
  Metadata seen;
  for (auto const& [key, value] : metadata) {
    if (!IsKey(key)) {
      return Fail(ErrorCode::kInvalidArgument,
                  "the metadata key \"" + FirstWords(key, 80) +
                      "\" is empty or has characters other than printable ASCII without space "
                      "and comma");
    }
    if (Contains(seen, key)) {
      return Fail(ErrorCode::kInvalidArgument, "the metadata key \"" + key + "\" is there twice");
    }
    seen.emplace_back(key, "");
    if (!header.empty()) header += ',';
    header += key;
    // Servers disagree about a space with nothing after it; all accept a key alone.
    if (!value.empty()) header += ' ' + EncodeBase64(value);
  }
  return header;
}

Result<Metadata> DecodeMetadata(std::string_view header) {
  Metadata metadata;
  if (Trim(header).empty()) return metadata;
  for (bool more = true; more;) {
    auto const comma = header.find(',');
    more = comma != std::string_view::npos;
    auto const pair = Trim(header.substr(0, comma));
    if (more) header.remove_prefix(comma + 1);

    auto const space = pair.find(' ');
    auto const key = pair.substr(0, space);
    auto const value =
        DecodeBase64(space == std::string_view::npos ? std::string_view{} : pair.substr(space + 1));
    if (!IsKey(key) || !value || Contains(metadata, key)) {
      return Fail(ErrorCode::kProtocol, "the server's Upload-Metadata cannot be decoded");
    }
    metadata.emplace_back(key, *value);
  }
  return metadata;
}

}  // namespace tus
