// Names in one of Unicode's forms: what a Mac calls "é" in two characters is the same name as "é".
#pragma once

#include <string>
#include <string_view>

namespace tusfs {

/// `name` in the composed form (NFC). As it is where it is no UTF-8.
[[nodiscard]] std::string Composed(std::string_view name);

}  // namespace tusfs
