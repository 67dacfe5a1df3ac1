#include "randomness.h"

#include <optional>
#include <random>

namespace tusfs_life {
namespace {

std::optional<std::mt19937_64> generator;

}  // namespace

void SeedRandomness(std::uint64_t seed) { generator.emplace(seed); }

bool FillFromSeed(void* bytes, std::size_t size) {
  if (!generator) return false;
  auto* const out = static_cast<unsigned char*>(bytes);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<unsigned char>((*generator)());
  return true;
}

}  // namespace tusfs_life
