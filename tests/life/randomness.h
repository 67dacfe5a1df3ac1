// What getrandom(2) gives in this program: bytes of a seed, so that a history can be repeated.
#pragma once

#include <cstddef>
#include <cstdint>

namespace tusfs_life {

void SeedRandomness(std::uint64_t seed);
/// False while no seed was set.
bool FillFromSeed(void* bytes, std::size_t size);

}  // namespace tusfs_life
