// Exactly once: the outcomes of requests, for a kernel that may ask a second time.
//
// The kernel's connection may outlive the daemon. What was not answered then comes to the successor
// again, marked as replayed: a call journals its outcome in the transaction that is its change, and
// when it comes again it is answered from there and changes nothing. A request without a number
// (Caller::request) does not come again, and nothing of it is kept. Any thread; no lock of its own
// but the store's.
#pragma once

#include <cstdint>
#include <optional>
#include <type_traits>

#include "base/error.h"
#include "catalog/records.h"
#include "catalog/store.h"
#include "filesystem/types.h"

namespace tusfs {

/// The answer to a request of which nothing is told but that it succeeded.
inline Result<void> Done(Reply const&) { return {}; }

class Replies {
 public:
  /// The store outlives it. `connection`: the kernel's, which numbers its requests.
  Replies(Store& store, std::uint64_t connection) : store_(store), connection_(connection) {}

  /// `work()`, or for a request that an earlier process has done `answer(Reply const&)`; both give
  /// the same Result. `work` calls Remember in its last transaction. Errors besides: the catalog's.
  template <typename Work, typename Answer>
  auto Once(Caller const& caller, Work const& work, Answer const& answer) const {
    using Outcome = std::invoke_result_t<Work const&>;
    auto const earlier = FindEarlier(caller);
    if (!earlier) return Outcome(Failure(earlier.error()));
    if (*earlier) return Outcome(answer(**earlier));
    return work();
  }

  /// The same for work that is one Store::Update of `decide(Transaction&)`.
  template <typename Decide, typename Answer>
  auto DecideOnce(Caller const& caller, Decide const& decide, Answer const& answer) const {
    return Once(
        caller, [&] { return store_.Update(decide); }, answer);
  }

  /// Journals the outcome of the caller's request: whose attributes it is answered with, and the
  /// handle that it opened.
  void Remember(Transaction& transaction, Caller const& caller, InodeId inode = 0,
                HandleId handle = 0) const;

  /// What an earlier process has journaled of a replayed request. Nothing, and no look into the
  /// catalog, for one that is here for the first time.
  [[nodiscard]] Result<std::optional<Reply>> FindEarlier(Caller const& caller) const;

  [[nodiscard]] std::uint64_t connection() const { return connection_; }

 private:
  Store& store_;
  std::uint64_t const connection_;
};

}  // namespace tusfs
