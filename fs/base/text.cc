#include "base/text.h"

#include <cstdio>

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

}  // namespace tusfs
