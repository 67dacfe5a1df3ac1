#include "tus_upload_text.h"

#include <tusclient/checksum.h>
#include <tusclient/hex.h>

#include <array>
#include <cstdio>
#include <iterator>
#include <span>

namespace tus_upload {
namespace {

bool ContinuesCharacter(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

}  // namespace

std::string Printable(std::string_view text) {
  std::string printable;
  for (std::size_t at = 0; at < text.size(); ++at) {
    auto const byte = static_cast<unsigned char>(text[at]);
    // Terminals obey U+0080 to U+009F too, which are C2 80 to C2 9F.
    bool const c1 = byte == 0xC2 && at + 1 < text.size() &&
                    (static_cast<unsigned char>(text[at + 1]) & 0xE0) == 0x80;
    bool const control = byte < 0x20 || byte == 0x7F || c1;
    printable += control ? '?' : text[at];
    if (c1) ++at;
  }
  return printable;
}

std::string Quoted(std::string_view name) { return "'" + Printable(name) + "'"; }

std::string PercentEncoded(std::string_view bytes) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
  std::string encoded;
  for (char const c : bytes) {
    if (kPlain.find(c) != std::string_view::npos) {
      encoded += c;
      continue;
    }
    auto const byte = static_cast<unsigned char>(c);
    encoded += '%';
    encoded += "0123456789ABCDEF"[byte >> 4];
    encoded += "0123456789ABCDEF"[byte & 15];
  }
  return encoded;
}

std::string Shortened(std::string const& text, std::size_t columns) {
  std::size_t characters = 0;
  auto cut = text.size();  // where the last characters begin that fit behind the ellipsis
  for (auto at = text.size(); at > 0; --at) {
    if (ContinuesCharacter(text[at - 1])) continue;
    if (++characters < columns) cut = at - 1;
    if (characters > columns) return "…" + text.substr(cut);
  }
  return text;
}

std::string Bytes(std::uint64_t bytes) {
  constexpr char const* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(kUnits)) {
    value /= 1024;
    ++unit;
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return text.data();
}

std::string HowFar(std::uint64_t offset, std::optional<std::uint64_t> size) {
  return Bytes(offset) + (size ? " of " + Bytes(*size) : "");
}

std::string Rate(double bytes_per_second) {
  return Bytes(static_cast<std::uint64_t>(bytes_per_second)) + "/s";
}

std::string Duration(std::chrono::seconds time) {
  auto const seconds = static_cast<long long>(time.count());
  std::array<char, 48> text{};
  if (seconds < 3600) {
    std::snprintf(text.data(), text.size(), "%lld:%02lld", seconds / 60, seconds % 60);
  } else {
    std::snprintf(text.data(), text.size(), "%lld:%02lld:%02lld", seconds / 3600, seconds / 60 % 60,
                  seconds % 60);
  }
  return text.data();
}

std::string DigestOfText(std::string_view text) {
  tus::Hasher hasher(tus::ChecksumAlgorithm::kSha256);
  hasher.Update(std::as_bytes(std::span(text)));
  return tus::EncodeHex(hasher.Digest());
}

}  // namespace tus_upload
