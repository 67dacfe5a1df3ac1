#include "random_key.h"

#include <random>

namespace tus {

std::string RandomKey() {
  std::random_device device;
  std::string key;
  for (int i = 0; i < 32; ++i) key += "0123456789abcdef"[device() % 16];
  return key;
}

}  // namespace tus
