// Orders of steps that people and programs really have, one after the other: by chance alone they
// would meet too seldom.
#pragma once

#include <random>
#include <vector>

#include "history.h"

namespace tusfs_life {

/// One of them, with names and times by chance.
[[nodiscard]] std::vector<Step> MakeScene(std::mt19937_64& random);

}  // namespace tusfs_life
