// Replies: a request that comes again is answered from the journal, and done once.
#include "filesystem/replies.h"

#include <gtest/gtest.h>

#include "base/fakes.h"
#include "testing/files.h"

namespace tusfs {
namespace {

constexpr std::uint64_t kConnection = 7;

class RepliesTest : public testing::Test {
 protected:
  static Caller Request(std::uint64_t unique, bool replayed) {
    Caller caller;
    caller.request = {.slot = 3, .unique = unique, .replayed = replayed};
    return caller;
  }

  /// Counts how often it is done; is answered with an inode.
  Result<InodeId> Do(Replies const& replies, Caller const& caller) {
    auto const decide = [&](Transaction& transaction) -> Result<InodeId> {
      ++done_;
      if (fails_) return Fail(ENOSPC);
      replies.Remember(transaction, caller, 42, 43);
      return InodeId{42};
    };
    return replies.DecideOnce(caller, decide, [&](Reply const& reply) {
      handle_ = reply.handle;
      return Result<InodeId>(reply.inode);
    });
  }

  tusfs_testing::TempDir const dir_;
  std::unique_ptr<Store> const store_ = Store::Open(dir_ / "catalog", {}, QuietLogger()).value();
  Replies const replies_{*store_, kConnection};
  int done_ = 0;
  bool fails_ = false;
  HandleId handle_ = 0;
};

TEST_F(RepliesTest, ARequestThatComesAgainIsAnsweredAsTheFirstTime) {
  EXPECT_EQ(Do(replies_, Request(100, false)), InodeId{42});
  EXPECT_EQ(Do(replies_, Request(100, true)), InodeId{42});
  EXPECT_EQ(done_, 1);
  EXPECT_EQ(handle_, 43U);
}

TEST_F(RepliesTest, ADaemonThatDiedBeforeTheJournalRecordLeavesItToTheNext) {
  EXPECT_EQ(Do(replies_, Request(100, true)), InodeId{42});
  EXPECT_EQ(done_, 1);
}

TEST_F(RepliesTest, WhatFailedIsNotRememberedAndIsTriedAgain) {
  fails_ = true;
  EXPECT_EQ(CodeOf(Do(replies_, Request(100, false))), ENOSPC);
  fails_ = false;
  EXPECT_EQ(Do(replies_, Request(100, true)), InodeId{42});
  EXPECT_EQ(done_, 2);
}

TEST_F(RepliesTest, AnotherRequestInTheSameSlotIsAnotherOne) {
  EXPECT_EQ(Do(replies_, Request(100, false)), InodeId{42});
  EXPECT_EQ(Do(replies_, Request(102, true)), InodeId{42});
  EXPECT_EQ(done_, 2);
}

TEST_F(RepliesTest, AnotherConnectionNumbersItsRequestsAnew) {
  EXPECT_EQ(Do(replies_, Request(100, false)), InodeId{42});
  EXPECT_EQ(Do(Replies(*store_, kConnection + 1), Request(100, true)), InodeId{42});
  EXPECT_EQ(done_, 2);
}

TEST_F(RepliesTest, ARequestWithoutANumberLeavesNothing) {
  EXPECT_EQ(Do(replies_, Request(0, false)), InodeId{42});
  auto const earlier = replies_.FindEarlier(Request(0, true));
  ASSERT_TRUE(earlier.has_value());
  EXPECT_FALSE(earlier->has_value());
}

}  // namespace
}  // namespace tusfs
