// What the storms have in common: how many rounds, from which seed, and the line that each ends
// with.
//
// $TUSFS_STORM_COUNT, $TUSFS_STORM_SEED and $TUSFS_STORM_PARTS choose; without them a storm has the
// size that a test of every change can afford, and another seed each time, which it prints. For the
// test's own thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <random>
#include <string>

namespace tusfs_testing {

class Storm {
 public:
  /// `what`: the things that are counted ("kills"); `count`: how many in a test of every change.
  Storm(std::string name, std::string what, int count);
  /// Prints the summary, and appends it to the file $TUSFS_STORM_TABLE.
  ~Storm();
  Storm(Storm const&) = delete;
  Storm& operator=(Storm const&) = delete;

  [[nodiscard]] int count() const { return count_; }
  [[nodiscard]] std::uint64_t seed() const { return seed_; }
  [[nodiscard]] std::mt19937_64& random() { return random_; }
  /// Any whole number from `least` to `most`, these two included.
  [[nodiscard]] std::int64_t Between(std::int64_t least, std::int64_t most);

  /// Whether its files go in parts, which the summary tells: $TUSFS_STORM_PARTS is 0 or 1; else the
  /// seed says.
  [[nodiscard]] bool InParts();

  /// One of the things is done; a failure of the test since the last one counts against it.
  void Done();
  /// More for the summary.
  void SetDetails(std::string details) { details_ = std::move(details); }

 private:
  [[nodiscard]] static int FailedAssertions();

  std::string const name_;
  std::string const what_;
  int const count_;
  std::uint64_t const seed_;
  std::mt19937_64 random_;
  std::chrono::steady_clock::time_point const start_ = std::chrono::steady_clock::now();
  std::string details_;
  std::string sent_;  ///< "in parts", or how else; nothing where it makes no difference
  int done_ = 0;
  int failed_ = 0;  ///< of these
  int failed_assertions_ = 0;
};

}  // namespace tusfs_testing
