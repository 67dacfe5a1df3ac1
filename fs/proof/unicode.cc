#include "proof/unicode.h"

#include <uninorm.h>
#include <unistr.h>

#include <algorithm>
#include <cstdlib>
#include <memory>

namespace tusfs {

std::string Composed(std::string_view name) {
  auto const is_ascii = std::ranges::all_of(name, [](unsigned char c) { return c < 0x80; });
  auto const* const bytes = reinterpret_cast<std::uint8_t const*>(name.data());
  if (is_ascii || u8_check(bytes, name.size()) != nullptr) return std::string(name);
  std::size_t length = 0;
  std::unique_ptr<std::uint8_t, decltype(&std::free)> const composed(
      u8_normalize(UNINORM_NFC, bytes, name.size(), nullptr, &length), std::free);
  if (!composed) return std::string(name);
  return {reinterpret_cast<char const*>(composed.get()), length};
}

}  // namespace tusfs
