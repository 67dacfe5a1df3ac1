#include "catalog/version_numbers.h"

namespace tusfs {

// The store is asked with no lock held; of two who ask at once, one leaves out what was left.
Result<std::uint64_t> VersionNumbers::Next() {
  constexpr auto kBlock = Transaction::kMostNumbers;
  {
    MutexLock lock(mutex_);
    if (next_ < end_) return next_++;
  }
  auto const first = store_.Update(
      [](Transaction& transaction) { return transaction.NewNumbers(Counter::kVersion, kBlock); });
  if (!first) return first;
  MutexLock lock(mutex_);
  next_ = *first + 1;
  end_ = *first + kBlock;
  return first;
}

}  // namespace tusfs
