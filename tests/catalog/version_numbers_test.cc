// VersionNumbers: each number once, whoever asks and whatever dies.
#include "catalog/version_numbers.h"

#include <set>
#include <thread>
#include <vector>

#include "catalog/store_harness.h"

namespace tusfs {
namespace {

class VersionNumbersTest : public testing::Test {
 protected:
  tusfs_testing::TempDir const dir_;
};

TEST_F(VersionNumbersTest, NobodyGetsOneASecondTime) {
  constexpr int kThreads = 4;
  constexpr int kEach = 1000;
  auto const store = OpenStore(dir_ / "catalog");
  VersionNumbers numbers(*store);
  std::vector<std::vector<std::uint64_t>> given(kThreads);
  {
    std::vector<std::jthread> threads;
    for (auto& mine : given) {
      threads.emplace_back([&] {
        for (int i = 0; i < kEach; ++i) mine.push_back(numbers.Next().value());
      });
    }
  }
  std::set<std::uint64_t> all;
  for (auto const& mine : given) all.insert(mine.begin(), mine.end());
  EXPECT_EQ(all.size(), std::size_t{kThreads * kEach});
  EXPECT_FALSE(all.contains(0)) << "it means that there is none";
}

TEST_F(VersionNumbersTest, MostNeedNoOperation) {
  auto const store = OpenStore(dir_ / "catalog");
  int operations = 0;
  store->WhenChanged([&] { ++operations; });
  VersionNumbers numbers(*store);
  for (std::uint64_t i = 0; i < 10 * Transaction::kMostNumbers; ++i) {
    ASSERT_TRUE(Ok(numbers.Next()));
  }
  store->WhenChanged({});
  EXPECT_EQ(operations, 10);
}

TEST_F(VersionNumbersTest, ThoseThatWereTakenAndNotGivenAreLeftOut) {
  auto const path = dir_ / "catalog";
  auto const before = [&] {
    auto const store = OpenStore(path);
    VersionNumbers numbers(*store);
    return numbers.Next().value();
  }();
  auto const store = OpenStore(path);
  VersionNumbers numbers(*store);
  auto const next = numbers.Next().value();
  EXPECT_GT(next, before);
  EXPECT_GE(next, store->FirstNumber(Counter::kVersion));
  EXPECT_EQ(next, before + Transaction::kMostNumbers);
}

}  // namespace
}  // namespace tusfs
