// Store: what an update promises while the process lives.
#include <gmock/gmock.h>

#include <atomic>
#include <fstream>
#include <thread>
#include <vector>

#include "base/ids.h"
#include "catalog/store_harness.h"
#include "testing/wait_for.h"

namespace tusfs {
namespace {

using testing::HasSubstr;
using tusfs_testing::TempDir;
using tusfs_testing::WaitFor;

class StoreTest : public testing::Test {
 protected:
  TempDir const dir_;
};

TEST_F(StoreTest, AnUpdateIsVisibleToTheNextRead) {
  auto const store = OpenStore(dir_ / "catalog");
  ASSERT_TRUE(Ok(Put(*store, "a", "1")));
  EXPECT_EQ(Get(*store, "a"), "1");
}

TEST_F(StoreTest, ADecisionSeesItsOwnPutsAndDeletes) {
  auto const store = OpenStore(dir_ / "catalog");
  ASSERT_TRUE(Ok(Put(*store, "old", "1")));
  auto const seen = store->Update([](Transaction& transaction) -> Result<std::string> {
    transaction.Put(Table::kNames, "new", "2");
    transaction.Delete(Table::kNames, "old");
    auto const fresh = transaction.Get(Table::kNames, "new");
    auto const gone = transaction.Get(Table::kNames, "old");
    return fresh.value().value_or("none") + gone.value().value_or("none");
  });
  EXPECT_EQ(seen, "2none");
}

TEST_F(StoreTest, TheLastChangeOfARowInADecisionWins) {
  auto const store = OpenStore(dir_ / "catalog");
  auto const done = store->Update([](Transaction& transaction) -> Result<void> {
    transaction.Put(Table::kNames, "a", "1");
    transaction.Delete(Table::kNames, "a");
    transaction.Put(Table::kNames, "a", "2");
    transaction.Put(Table::kNames, "b", "1");
    transaction.Delete(Table::kNames, "b");
    return {};
  });
  ASSERT_TRUE(Ok(done));
  EXPECT_EQ(Dump(*store), "a=2 ");
}

TEST_F(StoreTest, AFailingDecisionChangesNothing) {
  auto const store = OpenStore(dir_ / "catalog");
  ASSERT_TRUE(Ok(Put(*store, "a", "1")));
  bool ran = false;
  auto const failed = store->Update([&](Transaction& transaction) -> Result<void> {
    transaction.Put(Table::kNames, "a", "2");
    transaction.Put(Table::kInodes, "b", "2");
    transaction.WhenDurable([&] { ran = true; });
    return Fail(EEXIST);
  });
  EXPECT_EQ(CodeOf(failed), EEXIST);
  ASSERT_TRUE(Ok(Put(*store, "c", "3")));
  ASSERT_TRUE(Ok(store->Sync()));
  EXPECT_EQ(Dump(*store), "a=1 c=3 ");
  EXPECT_EQ(Dump(*store, Table::kInodes), "");
  EXPECT_FALSE(ran);
}

TEST_F(StoreTest, WhoeverWantsToKnowIsToldOfEachChangeOfRemovalsToo) {
  auto const store = OpenStore(dir_ / "catalog");
  int changes = 0;
  store->WhenChanged([&] { ++changes; });
  ASSERT_TRUE(Ok(Put(*store, "a", "1")));
  EXPECT_EQ(changes, 1);
  ASSERT_TRUE(Ok(store->Update([](Transaction& transaction) -> Result<void> {
    transaction.Delete(Table::kNames, "a");
    return {};
  })));
  EXPECT_EQ(changes, 2);
  EXPECT_EQ(Get(*store, "b"), std::nullopt);
  EXPECT_EQ(changes, 2) << "a look is none";
  store->WhenChanged({});
  ASSERT_TRUE(Ok(Put(*store, "a", "1")));
  EXPECT_EQ(changes, 2);
}

TEST_F(StoreTest, WhoeverObservesIsToldOfPutsAndDeletesUntilThatEnds) {
  auto const store = OpenStore(dir_ / "catalog");
  std::vector<std::string> seen;
  auto const note = [&](std::string const& who) {
    return [&seen, who](Table, std::string_view key, std::optional<std::string_view> value) {
      seen.push_back(who + " " + std::string(key) + "=" + std::string(value.value_or("(gone)")));
    };
  };
  auto const first = store->Observe(note("first"));
  auto const second = store->Observe(note("second"));
  ASSERT_TRUE(Ok(Put(*store, "a", "1")));
  EXPECT_EQ(seen, (std::vector<std::string>{"first a=1", "second a=1"}));
  store->EndObserving(first);
  seen.clear();
  ASSERT_TRUE(Ok(store->Update([](Transaction& transaction) -> Result<void> {
    transaction.Delete(Table::kNames, "a");
    return {};
  })));
  EXPECT_EQ(seen, (std::vector<std::string>{"second a=(gone)"}));
  store->EndObserving(second);
  seen.clear();
  ASSERT_TRUE(Ok(Put(*store, "b", "1")));
  EXPECT_TRUE(seen.empty());
}

TEST_F(StoreTest, DeletingARowThatIsNotThereIsNoError) {
  auto const store = OpenStore(dir_ / "catalog");
  auto const done = store->Update([](Transaction& transaction) -> Result<void> {
    transaction.Delete(Table::kNames, "nothing");
    return {};
  });
  EXPECT_TRUE(Ok(done));
}

TEST_F(StoreTest, AScanKeepsToItsPrefixAndBeginsWhereItIsTold) {
  auto const store = OpenStore(dir_ / "catalog");
  for (auto const* key : {"a1", "b1", "b2", "b3", "c1"}) ASSERT_TRUE(Ok(Put(*store, key, "")));
  std::string seen;
  auto const scanned = store->Read([&](View const& view) {
    return view.Scan(Table::kNames, "b", "b2", [&](std::string_view key, std::string_view) {
      seen += key;
      return true;
    });
  });
  ASSERT_TRUE(Ok(scanned));
  EXPECT_EQ(seen, "b2b3");
}

TEST_F(StoreTest, ValuesAndKeysMayHoldAnyBytes) {
  auto const store = OpenStore(dir_ / "catalog");
  std::string const key("\0\xff\0k", 4);
  std::string const value = tusfs_testing::RandomBytes(200'000);
  ASSERT_TRUE(Ok(Put(*store, key, value)));
  EXPECT_EQ(Get(*store, key), value);
}

TEST_F(StoreTest, AChangeThatLmdbCannotHoldIsRefusedAndHarmsNoOther) {
  auto const path = dir_ / "catalog";
  InKilledProcess(path, OnlyWhenAsked(), [](Store& store) {
    bool const before = Ok(Put(store, "before", "1"));
    bool const refused = !Put(store, std::string(600, 'k'), "too long a key");
    return before && refused && Ok(Put(store, "after", "2"));
  });
  EXPECT_EQ(Dump(*OpenStore(path)), "after=2 before=1 ");
}

TEST_F(StoreTest, NumbersAreHandedOutOnceEach) {
  auto const store = OpenStore(dir_ / "catalog");
  std::uint64_t last = 0;
  for (int i = 0; i < 10'000; ++i) {
    auto const number = store->Update(
        [](Transaction& transaction) { return transaction.NewNumber(Counter::kVersion); });
    ASSERT_TRUE(Ok(number));
    ASSERT_GT(*number, last);
    last = *number;
  }
}

TEST_F(StoreTest, TheRootsNumberIsNeverGivenToAnotherInode) {
  auto const store = OpenStore(dir_ / "catalog");
  auto const number = store->Update(
      [](Transaction& transaction) { return transaction.NewNumber(Counter::kInode); });
  EXPECT_GT(number.value(), kRootInode);
}

TEST_F(StoreTest, AFullJournalIsCommittedAndGoesOn) {
  auto const store = OpenStore(dir_ / "catalog", {.journal_size = 4096, .commit_interval = kNever});
  for (int i = 0; i < 1000; ++i) {
    ASSERT_TRUE(Ok(Put(*store, "key" + std::to_string(i), std::string(100, 'v'))));
  }
  ASSERT_TRUE(Ok(Put(*store, "last", "1")));
  EXPECT_EQ(Get(*store, "key0"), std::string(100, 'v'));
  EXPECT_EQ(Get(*store, "key999"), std::string(100, 'v'));
}

TEST_F(StoreTest, AnOperationLargerThanTheJournalIsRefusedAndTheNextOneGoesOn) {
  auto const store = OpenStore(dir_ / "catalog", {.journal_size = 4096, .commit_interval = kNever});
  EXPECT_NE(CodeOf(Put(*store, "large", std::string(8192, 'v'))), 0);
  EXPECT_TRUE(Ok(Put(*store, "small", "1")));
  EXPECT_EQ(Dump(*store), "small=1 ");
}

TEST_F(StoreTest, ManyThreadsLoseNoIncrement) {
  auto const path = dir_ / "catalog";
  constexpr int kThreads = 8;
  constexpr int kEach = 300;
  {
    auto const store = OpenStore(path, {.journal_size = 16'384});
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < kEach; ++i) {
          auto const added = store->Update([](Transaction& transaction) -> Result<void> {
            auto const row = transaction.Get(Table::kMeta, "sum");
            if (!row) return Failure(row.error());
            transaction.Put(Table::kMeta, "sum", std::to_string(std::stoi(row->value_or("0")) + 1));
            return {};
          });
          EXPECT_TRUE(Ok(added));
          if (i % 50 == t) {
            EXPECT_TRUE(Ok(store->Sync()));
          }
        }
      });
    }
    threads.clear();
    EXPECT_EQ(Get(*store, "sum", Table::kMeta), std::to_string(kThreads * kEach));
  }
  EXPECT_EQ(Get(*OpenStore(path), "sum", Table::kMeta), std::to_string(kThreads * kEach));
}

TEST_F(StoreTest, ManyWaitersShareACommitAndAllReturn) {
  auto const store = OpenStore(dir_ / "catalog", OnlyWhenAsked());
  std::vector<std::jthread> threads;
  std::atomic<int> synced = 0;
  for (int t = 0; t < 16; ++t) {
    threads.emplace_back([&, t] {
      EXPECT_TRUE(Ok(Put(*store, "key" + std::to_string(t), "v")));
      EXPECT_TRUE(Ok(store->Sync()));
      ++synced;
    });
  }
  EXPECT_TRUE(WaitFor([&] { return synced == 16; }));
}

TEST_F(StoreTest, SyncOfAStoreWithoutChangesReturns) {
  auto const store = OpenStore(dir_ / "catalog", OnlyWhenAsked());
  EXPECT_TRUE(Ok(store->Sync()));
}

TEST_F(StoreTest, AnActionRunsAfterTheCommitByItselfWithinTheInterval) {
  auto const store = OpenStore(dir_ / "catalog");
  std::atomic<bool> ran = false;
  auto const done = store->Update([&](Transaction& transaction) -> Result<void> {
    transaction.Put(Table::kNames, "a", "1");
    transaction.WhenDurable([&] { ran = true; });
    return {};
  });
  ASSERT_TRUE(Ok(done));
  EXPECT_TRUE(WaitFor([&] { return ran.load(); }, std::chrono::seconds(5)));
}

TEST_F(StoreTest, WhatIsWantedAtOnceIsDurableLongBeforeTheInterval) {
  auto const store = OpenStore(dir_ / "catalog", OnlyWhenAsked());
  std::atomic<int> ran = 0;
  auto const put = [&](bool at_once) {
    return store->Update([&](Transaction& transaction) -> Result<void> {
      transaction.Put(Table::kNames, "a", "1");
      transaction.WhenDurable([&] { ++ran; });
      if (at_once) transaction.AtOnce();
      return {};
    });
  };
  ASSERT_TRUE(Ok(put(false)));
  EXPECT_EQ(store->DurableSequence(), 0U);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(Ok(put(true)));
  EXPECT_TRUE(WaitFor([&] { return ran == 21; })) << "and what came before it";
  ASSERT_TRUE(Ok(put(true)));
  EXPECT_TRUE(WaitFor([&] { return ran == 22; })) << "each time that it is";
}

TEST_F(StoreTest, AnActionOfAnOperationThatChangesNothingRunsToo) {
  auto const store = OpenStore(dir_ / "catalog");
  std::atomic<bool> ran = false;
  auto const done = store->Update([&](Transaction& transaction) -> Result<void> {
    transaction.WhenDurable([&] { ran = true; });
    return {};
  });
  ASSERT_TRUE(Ok(done));
  EXPECT_TRUE(WaitFor([&] { return ran.load(); }, std::chrono::seconds(2)));
}

// ---- memory

// Of the store's file in this process, as /proc/self/smaps says; KiB.
std::uint64_t ResidentOf(std::filesystem::path const& file) {
  std::ifstream maps("/proc/self/smaps");
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    inside = inside || line.ends_with(file.string());
    if (inside && line.starts_with("Rss:")) return std::stoull(line.substr(4));
  }
  return 0;
}

TEST_F(StoreTest, LetsGoOfThePagesThatItHasSeenAndLosesNothing) {
  auto const path = dir_ / "catalog";
  // The second half does not fit into the map of the first, which moves.
  auto const store = OpenStore(path, {.map_size = 4 << 20, .journal_size = kTestJournal});
  std::string rows;
  for (int half = 0; half < 2; ++half) {
    for (int i = 0; i < 2500; ++i) {
      auto const key = "key" + std::to_string(10'000 * (half + 1) + i);
      ASSERT_TRUE(Ok(Put(*store, key, std::string(1000, 'v'))));
    }
    ASSERT_TRUE(Ok(store->Sync()));
    rows = Dump(*store);
    EXPECT_GT(ResidentOf(path / "data.mdb"), 2048U);
    store->LetGoOfPages();
    EXPECT_LT(ResidentOf(path / "data.mdb"), 512U);
  }
  EXPECT_EQ(Dump(*store), rows);
  ASSERT_TRUE(Ok(Put(*store, "key", "still writes")));
  EXPECT_EQ(Get(*store, "key"), "still writes");
}

// ---- growing

class FullMap : public StoreTest, public testing::WithParamInterface<std::uint64_t> {};

TEST_P(FullMap, GrowsAndLosesNothingWhileEveryUpdateIsSynced) {
  // Values of one to four pages, so that the map's end is met by updates and by commits.
  for (std::size_t pages = 1; pages <= 4; ++pages) {
    auto const store = OpenStore(
        dir_ / ("catalog" + std::to_string(pages)),
        {.map_size = GetParam(), .journal_size = kTestJournal, .commit_interval = kNever});
    ASSERT_NE(store, nullptr);
    for (int i = 0; i < 40; ++i) {
      auto const key = "key" + std::to_string(i);
      ASSERT_TRUE(Ok(Put(*store, key, std::string(pages * 4096 - 1000, 'v')))) << i;
      ASSERT_TRUE(Ok(store->Sync())) << i << " with " << pages << " pages each";
    }
    for (int i = 0; i < 40; ++i) EXPECT_TRUE(Get(*store, "key" + std::to_string(i))) << i;
  }
}

TEST_P(FullMap, GrowsInTheMiddleOfATransactionAndLosesNothing) {
  auto const path = dir_ / "catalog";
  {
    auto const store = OpenStore(
        path, {.map_size = GetParam(), .journal_size = kTestJournal, .commit_interval = kNever});
    ASSERT_NE(store, nullptr);
    for (int i = 0; i < 150; ++i) {
      ASSERT_TRUE(Ok(Put(*store, "key" + std::to_string(i), std::string(3000, 'v')))) << i;
    }
  }
  auto const store = OpenStore(path, {.map_size = GetParam(), .journal_size = kTestJournal});
  ASSERT_NE(store, nullptr);
  for (int i = 0; i < 150; ++i) EXPECT_TRUE(Get(*store, "key" + std::to_string(i))) << i;
}

TEST_P(FullMap, GrowsWhenTheJournalIsFullToo) {
  auto const store =
      OpenStore(dir_ / "catalog",
                {.map_size = GetParam(), .journal_size = 16'384, .commit_interval = kNever});
  ASSERT_NE(store, nullptr);
  for (int i = 0; i < 150; ++i) {
    ASSERT_TRUE(Ok(Put(*store, "key" + std::to_string(i), std::string(3000, 'v')))) << i;
  }
}

TEST_P(FullMap, OpensAgainHoweverFullItIs) {
  auto const path = dir_ / "catalog";
  for (int i = 0; i < 40; ++i) {
    auto const store = OpenStore(path, {.map_size = GetParam(), .journal_size = kTestJournal});
    ASSERT_NE(store, nullptr) << i;
    ASSERT_TRUE(Ok(Put(*store, "key" + std::to_string(i), std::string(3000, 'v')))) << i;
  }
  EXPECT_TRUE(Get(*OpenStore(path), "key0"));
}

TEST_P(FullMap, HandsOutNumbersHoweverFullItIs) {
  auto const store =
      OpenStore(dir_ / "catalog",
                {.map_size = GetParam(), .journal_size = kTestJournal, .commit_interval = kNever});
  ASSERT_NE(store, nullptr);
  for (int i = 0; i < 150; ++i) {
    ASSERT_TRUE(Ok(Put(*store, "key" + std::to_string(i), std::string(1000, 'v')))) << i;
    for (int j = 0; j < 500; ++j) {
      auto const number = store->Update(
          [](Transaction& transaction) { return transaction.NewNumber(Counter::kInode); });
      ASSERT_TRUE(Ok(number)) << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, FullMap, testing::Values(65'536, 77'824, 131'072));

}  // namespace
}  // namespace tusfs
