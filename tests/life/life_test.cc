// Seeded lives of a mount: order, not violence. $TUSFS_LIFE_SEEDS lives (default 1,000) from
// $TUSFS_LIFE_SEED on (default 1), and $TUSFS_LIFE_PARTS (default 60) with larger files, which go
// in parts. One that fails is made as short as it can be and printed.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <map>
#include <string>

#include "history.h"
#include "world.h"

namespace tusfs_life {
namespace {

std::uint64_t NumberOf(char const* variable, std::uint64_t otherwise) {
  auto const* const text = std::getenv(variable);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

World::Verdict Live(History const& history) {
  World world(history);
  world.talks = std::getenv("TUSFS_LIFE_TALKS") != nullptr;
  auto verdict = world.Run();
  if (world.talks) {
    for (auto const& line : world.server().log()) {
      if (!line.starts_with("OPTIONS")) std::cout << "    server: " << line << "\n";
    }
  }
  return verdict;
}

/// Without the steps whose words $TUSFS_LIFE_WITHOUT has, between spaces.
History HistoryOf(std::uint64_t seed, bool in_parts) {
  auto history = MakeHistory(seed, in_parts);
  auto const* const without = std::getenv("TUSFS_LIFE_WITHOUT");
  if (without == nullptr) return history;
  auto const words = " " + std::string(without) + " ";
  std::erase_if(history.steps, [&](Step const& step) {
    return words.find(" " + std::string(WordOf(step.kind)) + " ") != std::string::npos;
  });
  return history;
}

void LiveAll(std::uint64_t seeds, bool in_parts) {
  auto const first = NumberOf("TUSFS_LIFE_SEED", 1);
  auto const most = NumberOf("TUSFS_LIFE_FAILURES", 3);
  std::map<std::string, std::uint64_t> failed;  // by the question
  for (auto seed = first; seed < first + seeds; ++seed) {
    auto const history = HistoryOf(seed, in_parts);
    auto const broken = Live(history);
    if (broken.holds()) continue;
    // One of each kind is enough to read.
    if (++failed[broken.question] > 1 || failed.size() > most) continue;
    auto const shortest = Shrink(history, [&](History const& candidate) {
      return Live(candidate).question == broken.question;
    });
    ADD_FAILURE() << "seed " << seed << ": " << broken.sentence << "\n"
                  << "shortest: " << Live(shortest).sentence << "\n"
                  << Describe(shortest) << "again: TUSFS_LIFE_HISTORY=" << Encode(shortest);
  }
  std::cout << "lives: " << seeds << " from seed " << first << "\n";
  for (auto const& [question, times] : failed) {
    ADD_FAILURE() << times << " lives failed at " << question;
  }
}

TEST(Life, OrdinaryOrdersLoseNothing) {
  if (auto const* const again = std::getenv("TUSFS_LIFE_HISTORY"); again != nullptr) {
    auto const history = Decode(again);
    auto const verdict = Live(history);
    EXPECT_TRUE(verdict.holds()) << verdict.sentence << "\n" << Describe(history);
    return;
  }
  LiveAll(NumberOf("TUSFS_LIFE_SEEDS", 1000), false);
}

TEST(Life, FilesInPartsLoseNothingEither) {
  if (std::getenv("TUSFS_LIFE_HISTORY") != nullptr) return;
  LiveAll(NumberOf("TUSFS_LIFE_PARTS", 60), true);
}

}  // namespace
}  // namespace tusfs_life
