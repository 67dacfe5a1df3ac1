// Seeded lives of a mount: order, not violence. $TUSFS_LIFE_SEEDS lives (default 1,000) from
// $TUSFS_LIFE_SEED on (default 1). One that fails is made as short as it can be and printed.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <string>

#include "history.h"
#include "world.h"

namespace tusfs_life {
namespace {

std::uint64_t NumberOf(char const* variable, std::uint64_t otherwise) {
  auto const* const text = std::getenv(variable);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

World::Verdict Live(History const& history) { return World(history).Run(); }

TEST(Life, OrdinaryOrdersLoseNothing) {
  auto const seeds = NumberOf("TUSFS_LIFE_SEEDS", 1000);
  auto const first = NumberOf("TUSFS_LIFE_SEED", 1);
  std::uint64_t failed = 0;
  for (auto seed = first; seed < first + seeds; ++seed) {
    auto const history = MakeHistory(seed);
    auto const broken = Live(history);
    if (broken.holds()) continue;
    ++failed;
    auto const shortest = Shrink(history, [&](History const& candidate) {
      return Live(candidate).question == broken.question;
    });
    ADD_FAILURE() << "seed " << seed << ": " << broken.sentence << "\n"
                  << "shortest: " << Live(shortest).sentence << "\n"
                  << Describe(shortest) << "again: TUSFS_LIFE_SEEDS=1 TUSFS_LIFE_SEED=" << seed;
    if (failed == NumberOf("TUSFS_LIFE_FAILURES", 3)) break;
  }
  std::cout << "lives: " << seeds << " from seed " << first << ", failed: " << failed << "\n";
}

}  // namespace
}  // namespace tusfs_life
