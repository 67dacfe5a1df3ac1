// A name that nothing else has: 128 random bits in hex.
#pragma once

#include <string>

namespace tus {

[[nodiscard]] std::string RandomKey();

}  // namespace tus
