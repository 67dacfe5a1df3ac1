#include "fuse/request_slots.h"

#include <gtest/gtest.h>
#include <linux/fuse.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

namespace tusfs {
namespace {

class RequestSlotsTest : public testing::Test {
 protected:
  // As the kernel does: a request appears in the slot's memory.
  static void Receive(RequestSlots::Slot const& slot, std::uint64_t unique,
                      std::uint32_t opcode = FUSE_MKDIR) {
    fuse_in_header header{};
    header.len = sizeof header;
    header.opcode = opcode;
    header.unique = unique;
    std::memcpy(slot.buffer().data(), &header, sizeof header);
  }

  static void Reply(RequestSlots::Slot const& slot, std::string bytes) {
    iovec const piece{bytes.data(), bytes.size()};
    slot.StoreReply(&piece, 1);
  }

  // What another process sees.
  [[nodiscard]] RequestSlots MapAgain() const {
    return RequestSlots::Map(UniqueFd(::dup(fd_.get()))).value();
  }

  UniqueFd const fd_ = RequestSlots::Create().value();
  RequestSlots slots_ = MapAgain();
};

TEST_F(RequestSlotsTest, ThereAreMoreThanThreads) {
  EXPECT_GT(slots_.count(), RequestSlots::ThreadCount());
}

TEST_F(RequestSlotsTest, EachIsClaimedOnceUntilItIsFreed) {
  std::vector<RequestSlots::Slot> claimed;
  while (auto slot = slots_.Claim(1)) claimed.push_back(*slot);
  EXPECT_GT(claimed.size(), RequestSlots::ThreadCount());
  EXPECT_EQ(claimed.front().index(), 1U) << "near the hint";

  claimed[2].Free();
  auto const again = slots_.Claim(0);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->index(), claimed[2].index());
}

TEST_F(RequestSlotsTest, MoreThreadsHaveMoreOfThemAndFewerGiveThemBack) {
  auto const claim_all = [&] {
    std::vector<RequestSlots::Slot> claimed;
    while (auto slot = slots_.Claim(0)) claimed.push_back(*slot);
    for (auto const& slot : claimed) slot.Free();
    return claimed.size();
  };
  auto const memory = [&] {
    struct stat status {};
    EXPECT_EQ(::fstat(fd_.get(), &status), 0);
    return static_cast<std::uint64_t>(status.st_blocks) * 512;
  };
  static_cast<void>(slots_.Lock());
  auto const before = claim_all();
  auto const memory_before = memory();
  EXPECT_LT(memory_before, 2 * slots_.locked_bytes());
  auto const threads = RequestSlots::ThreadCount() + 20;
  ASSERT_LE(threads, slots_.MostThreads());
  slots_.ServeThreads(threads);
  EXPECT_EQ(claim_all(), before + 20);
  EXPECT_GT(memory(), memory_before + std::uint64_t{20} * 1024 * 1024);
  slots_.ServeThreads(RequestSlots::ThreadCount());
  EXPECT_EQ(claim_all(), before);
  EXPECT_LT(memory(), memory_before + std::uint64_t{20} * 16 * 1024);
}

TEST_F(RequestSlotsTest, ASuccessorFindsWhatIsInTheSlotsOfThreadsThatWereAdded) {
  slots_.ServeThreads(slots_.MostThreads());
  std::optional<RequestSlots::Slot> last;
  while (auto const slot = slots_.Claim(0)) last = slot;
  Receive(*last, 7);
  auto successor = MapAgain();
  auto const left = successor.Unanswered();
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0].request().unique, 7U);
}

TEST_F(RequestSlotsTest, ASuccessorFindsUnansweredRequestsInTheirOrder) {
  for (std::uint64_t const unique : {8U, 4U, 6U}) Receive(*slots_.Claim(0), unique);
  auto successor = MapAgain();
  auto const left = successor.Unanswered();
  ASSERT_EQ(left.size(), 3U);
  EXPECT_EQ(left[0].request().unique, 4U);
  EXPECT_EQ(left[1].request().unique, 6U);
  EXPECT_EQ(left[2].request().unique, 8U);
  EXPECT_FALSE(left[0].IsReplying());
}

TEST_F(RequestSlotsTest, ASlotIntoWhichNothingWasReadIsFreeForASuccessor) {
  auto const slot = slots_.Claim(0);
  auto successor = MapAgain();
  EXPECT_TRUE(successor.Unanswered().empty());
  EXPECT_TRUE(slot->IsFree());
}

TEST_F(RequestSlotsTest, AFreeSlotHasNoRequestWhateverLiesInIt) {
  auto const slot = slots_.Claim(0);
  slot->Free();
  Receive(*slot, 2);
  EXPECT_TRUE(MapAgain().Unanswered().empty());
  auto const claimed = slots_.Claim(0);
  EXPECT_EQ(claimed->request().len, 0U) << "a daemon that dies now has left no request";
  EXPECT_TRUE(MapAgain().Unanswered().empty());
}

TEST_F(RequestSlotsTest, AnAnsweredRequestIsFoundWithItsReply) {
  auto const slot = slots_.Claim(0);
  Receive(*slot, 2);
  Reply(*slot, "the reply");
  auto const left = MapAgain().Unanswered();
  ASSERT_EQ(left.size(), 1U);
  // The memory is gone with the mapping, so it is looked at through the first one.
  EXPECT_TRUE(slot->IsReplying());
  EXPECT_EQ(std::string(reinterpret_cast<char const*>(slot->reply().data()), slot->reply().size()),
            "the reply");
}

TEST_F(RequestSlotsTest, AReplyThatIsTooLongIsNotKeptAndItsRequestIsExecutedAgain) {
  auto const slot = slots_.Claim(0);
  Receive(*slot, 2, FUSE_READ);
  Reply(*slot, std::string(4096, 'x'));
  EXPECT_FALSE(slot->IsReplying());
}

TEST_F(RequestSlotsTest, AFreedSlotHasNoRequestAndNoExecutions) {
  auto const slot = slots_.Claim(0);
  Receive(*slot, 2);
  slot->BeginExecution();
  EXPECT_EQ(slot->executions(), 1U);
  slot->Free();
  auto const again = slots_.Claim(slot->index());
  EXPECT_EQ(again->request().len, 0U);
  EXPECT_EQ(again->executions(), 0U);
}

TEST_F(RequestSlotsTest, WhatBelongsToTheConnectionIsKept) {
  slots_.SetConnection(7);
  slots_.SetMountpoint("/mnt/a b");
  std::byte const init[] = {std::byte{1}, std::byte{2}};
  slots_.SaveInit(init);
  slots_.CountReplayed(3);
  auto const successor = MapAgain();
  EXPECT_EQ(successor.connection(), 7U);
  EXPECT_EQ(successor.mountpoint(), "/mnt/a b");
  ASSERT_EQ(successor.init().size(), 2U);
  EXPECT_EQ(successor.init()[1], std::byte{2});
  EXPECT_EQ(successor.replayed(), 3U);
}

TEST_F(RequestSlotsTest, MemoryOfAnotherLayoutIsRefusedWithASentence) {
  std::uint64_t const other = 42;
  ASSERT_EQ(::pwrite(fd_.get(), &other, sizeof other, 0), 8);
  auto const mapped = RequestSlots::Map(UniqueFd(::dup(fd_.get())));
  ASSERT_FALSE(mapped);
  EXPECT_EQ(mapped.error().code, EPROTO);
  EXPECT_NE(mapped.error().context.find("mount again"), std::string::npos);
}

TEST_F(RequestSlotsTest, LockingKeepsWhatIsThere) {
  Receive(*slots_.Claim(0), 12);
  // Whether it may be locked depends on the machine; the pages are touched in any case.
  [[maybe_unused]] auto const locked = slots_.Lock();
  EXPECT_EQ(slots_.Unanswered().at(0).request().unique, 12U);
}

}  // namespace
}  // namespace tusfs
