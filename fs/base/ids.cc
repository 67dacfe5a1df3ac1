#include "base/ids.h"

#include <sys/random.h>

#include <cstdio>
#include <cstdlib>

namespace tusfs {

std::string Uuid::ToString() const {
  std::string text;
  text.reserve(36);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", bytes[i]);
    text += digits;
  }
  return text;
}

Uuid Uuid::Random() {
  Uuid uuid;
  // 16 bytes are always delivered whole once the kernel's pool is ready; without randomness two
  // uploads could share an identity, and there is nothing sensible left to do.
  if (::getrandom(uuid.bytes.data(), uuid.bytes.size(), 0) != 16) std::abort();
  uuid.bytes[6] = static_cast<std::uint8_t>((uuid.bytes[6] & 0x0f) | 0x40);
  uuid.bytes[8] = static_cast<std::uint8_t>((uuid.bytes[8] & 0x3f) | 0x80);
  return uuid;
}

}  // namespace tusfs
