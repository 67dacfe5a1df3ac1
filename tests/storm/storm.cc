#include "storm/storm.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "testing/environment.h"

namespace tusfs_testing {

Storm::Storm(std::string name, std::string what, int count)
    : name_(std::move(name)),
      what_(std::move(what)),
      count_(static_cast<int>(FromEnvironment("TUSFS_STORM_COUNT", static_cast<unsigned>(count)))),
      seed_(FromEnvironment("TUSFS_STORM_SEED", std::random_device{}())),
      random_(seed_) {
  std::printf("storm %s: %d %s, seed %llu\n", name_.c_str(), count_, what_.c_str(),
              static_cast<unsigned long long>(seed_));
  std::fflush(stdout);
}

Storm::~Storm() {
  // What failed outside of any of them fails the storm all the same.
  int const outside = FailedAssertions() > failed_assertions_ ? 1 : 0;
  auto const took = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_);
  char line[200];
  std::snprintf(line, sizeof line, "%-16s %6d %-8s seed %-20llu failures %d  %6.1f s",
                name_.c_str(), done_, what_.c_str(), static_cast<unsigned long long>(seed_),
                failed_ + outside, took.count());
  auto const details = sent_ + (sent_.empty() || details_.empty() ? "" : ", ") + details_;
  auto const summary = std::string(line) + (details.empty() ? "" : "  " + details) + "\n";
  std::fputs(summary.c_str(), stdout);
  char const* const path = std::getenv("TUSFS_STORM_TABLE");
  if (path == nullptr) return;
  if (std::FILE* const table = std::fopen(path, "a")) {
    std::fputs(summary.c_str(), table);
    std::fclose(table);
  }
}

std::int64_t Storm::Between(std::int64_t least, std::int64_t most) {
  return std::uniform_int_distribution<std::int64_t>(least, most)(random_);
}

bool Storm::InParts() {
  bool const in_parts = FromEnvironment("TUSFS_STORM_PARTS", seed_ % 2) != 0;
  sent_ = in_parts ? "in parts" : "in one stream";
  return in_parts;
}

void Storm::Done() {
  ++done_;
  auto const failed = FailedAssertions();
  if (failed > failed_assertions_) ++failed_;
  failed_assertions_ = failed;
}

int Storm::FailedAssertions() {
  auto const* const test = ::testing::UnitTest::GetInstance()->current_test_info();
  if (test == nullptr) return 0;
  auto const& result = *test->result();
  int failed = 0;
  for (int i = 0; i < result.total_part_count(); ++i) {
    if (result.GetTestPartResult(i).failed()) ++failed;
  }
  return failed;
}

}  // namespace tusfs_testing
