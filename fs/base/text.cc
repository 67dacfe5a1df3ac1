#include "base/text.h"

#include <cstdio>

namespace tusfs {

std::string Printable(std::string_view text) {
  std::string shown;
  for (char const character : text) {
    auto const c = static_cast<unsigned char>(character);
    if (c < 0x20 || c == 0x7f) {
      char digits[5];
      std::snprintf(digits, sizeof digits, "\\x%02x", c);
      shown += digits;
    } else {
      shown += character;
    }
  }
  return shown;
}

}  // namespace tusfs
