#include "base/text.h"

#include <cstddef>
#include <cstdio>
#include <iterator>

namespace tusfs {

namespace {

// How many bytes the control character at the front of `text` has; 0: there is none.
std::size_t ControlSize(std::string_view text) {
  auto const byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  if (byte(0) < 0x20 || byte(0) == 0x7f) return 1;
  // U+0080 to U+009F, which a terminal obeys as it does ESC and a letter.
  bool const is_c1 = byte(0) == 0xc2 && text.size() > 1 && byte(1) >= 0x80 && byte(1) < 0xa0;
  if (is_c1) return 2;
  if (byte(0) != 0xe2 || text.size() < 3) return 0;
  // U+202A to U+202E and U+2066 to U+2069: what follows is shown from its other end.
  bool const turns = (byte(1) == 0x80 && byte(2) >= 0xaa && byte(2) <= 0xae) ||
                     (byte(1) == 0x81 && byte(2) >= 0xa6 && byte(2) <= 0xa9);
  return turns ? 3 : 0;
}

}  // namespace

std::string Printable(std::string_view text) {
  std::string shown;
  while (!text.empty()) {
    auto const control = ControlSize(text);
    for (char const byte : text.substr(0, control)) {
      char digits[5];
      std::snprintf(digits, sizeof digits, "\\x%02x", static_cast<unsigned char>(byte));
      shown += digits;
    }
    if (control == 0) shown += text.front();
    text.remove_prefix(control == 0 ? 1 : control);
  }
  return shown;
}

std::string Counted(std::uint64_t count, std::string_view one, std::string_view more) {
  return std::to_string(count) + " " + std::string(count == 1 ? one : more);
}

std::string ShowBytes(std::uint64_t bytes) {
  constexpr char const* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  char text[32];
  std::snprintf(text, sizeof text, unit == 0 ? "%.0f %s" : "%.1f %s", value, kUnits[unit]);
  return text;
}

std::string EscapeHtml(std::string_view text) {
  std::string escaped;
  for (char const c : Printable(text)) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

bool IsAtOrBeneath(std::string_view path, std::string_view top) {
  if (top.empty() || path == top) return true;
  return path.size() > top.size() && path.starts_with(top) && path[top.size()] == '/';
}

}  // namespace tusfs
