// Store: what is left after the process was killed, after the power went, and of damaged files.
#include <gmock/gmock.h>
#include <sys/resource.h>

#include <atomic>
#include <fstream>
#include <map>
#include <random>
#include <sstream>
#include <vector>

#include "catalog/codec.h"
#include "catalog/store_harness.h"
#include "testing/wait_for.h"

namespace tusfs {
namespace {

using testing::HasSubstr;
using tusfs_testing::ReadFile;
using tusfs_testing::TempDir;
using tusfs_testing::WaitFor;
using tusfs_testing::WriteFile;

std::string Counted(int first, int last) {
  std::string rows;
  for (int i = first; i <= last; ++i) rows += "key" + std::to_string(i) + "=v ";
  return rows;
}

bool PutCounted(Store& store, int first, int last) {
  for (int i = first; i <= last; ++i) {
    if (!Put(store, "key" + std::to_string(i), "v")) return false;
  }
  return true;
}

class StoreCrash : public testing::Test {
 protected:
  // Updates key10 … key19 in a process that is killed before any commit.
  void LeaveTenInTheJournal() {
    InKilledProcess(path_, OnlyWhenAsked(), [](Store& store) { return PutCounted(store, 10, 19); });
  }

  // Where the journal's record of `key` begins and ends: behind its payload the next one begins.
  [[nodiscard]] std::size_t JournalPositionOf(std::string const& key) const {
    return ReadFile(path_ / "journal").find(key);
  }

  void Overwrite(std::filesystem::path const& file, std::size_t at, std::string const& bytes) {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(static_cast<std::streamoff>(at));
    stream.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }

  TempDir const dir_;
  std::filesystem::path const path_ = dir_ / "catalog";
};

TEST_F(StoreCrash, EveryAnsweredUpdateSurvivesAKill) {
  LeaveTenInTheJournal();
  EXPECT_EQ(Dump(*OpenStore(path_)), Counted(10, 19));
}

TEST_F(StoreCrash, UpdatesAreReplayedInTheirOrder) {
  InKilledProcess(path_, OnlyWhenAsked(), [&](Store& store) {
    bool ok = true;
    for (int i = 0; i < 100; ++i) {
      ok = ok && Put(store, "last", std::to_string(i)).has_value();
      if (i % 7 == 0) {
        auto const deleted = store.Update([](Transaction& transaction) -> Result<void> {
          transaction.Delete(Table::kNames, "last");
          return {};
        });
        ok = ok && deleted.has_value();
      }
    }
    return ok;
  });
  EXPECT_EQ(Dump(*OpenStore(path_)), "last=99 ");
}

TEST_F(StoreCrash, KillAfterKillNothingIsLost) {
  for (int round = 0; round < 8; ++round) {
    InKilledProcess(path_, OnlyWhenAsked(), [&](Store& store) {
      bool ok = PutCounted(store, 10 + round * 10, 14 + round * 10);
      if (round % 2 == 0) ok = ok && store.Sync().has_value();
      return ok && PutCounted(store, 15 + round * 10, 19 + round * 10);
    });
  }
  EXPECT_EQ(Dump(*OpenStore(path_)), Counted(10, 89));
}

TEST_F(StoreCrash, AKillWhileTheMapIsTooSmallLosesNothing) {
  StoreOptions const tiny{
      .map_size = 65'536, .journal_size = kTestJournal, .commit_interval = kNever};
  InKilledProcess(path_, tiny, [&](Store& store) {
    bool ok = true;
    for (int i = 0; i < 100; ++i) {
      ok = ok && Put(store, "key" + std::to_string(i), std::string(3000, 'v')).has_value();
    }
    return ok;
  });
  auto const store = OpenStore(path_, tiny);
  ASSERT_NE(store, nullptr);
  for (int i = 0; i < 100; ++i) EXPECT_TRUE(Get(*store, "key" + std::to_string(i))) << i;
}

// ---- the journal's end

TEST_F(StoreCrash, ATornTailIsRefusedAndWhatIsBeforeItStays) {
  LeaveTenInTheJournal();
  auto const torn = JournalPositionOf("key19");
  ASSERT_NE(torn, std::string::npos);
  // The last sector never came: zeros from the middle of the record on.
  Overwrite(path_ / "journal", torn, std::string(64, '\0'));
  EXPECT_EQ(Dump(*OpenStore(path_)), Counted(10, 18));
}

TEST_F(StoreCrash, ADamagedRecordEndsTheReplayAndIsNeverSkipped) {
  LeaveTenInTheJournal();
  auto const damaged = JournalPositionOf("key15");
  Overwrite(path_ / "journal", damaged, "K");
  EXPECT_EQ(Dump(*OpenStore(path_)), Counted(10, 14));
}

TEST_F(StoreCrash, AnyFlippedByteLeavesAPrefix) {
  LeaveTenInTheJournal();
  auto const journal = ReadFile(path_ / "journal");
  auto const data = ReadFile(path_ / "data.mdb");
  auto const end = journal.find("key19") + 5;
  std::vector<std::string> prefixes;
  for (int last = 9; last <= 19; ++last) prefixes.push_back(Counted(10, last));
  for (std::size_t at = 0; at < end; at += 3) {
    WriteFile(path_ / "journal", journal);
    WriteFile(path_ / "data.mdb", data);
    Overwrite(path_ / "journal", at, std::string(1, static_cast<char>(journal[at] ^ 0x40)));
    auto const rows = Dump(*OpenStore(path_));
    ASSERT_THAT(prefixes, testing::Contains(rows)) << "byte " << at;
  }
}

TEST_F(StoreCrash, ARecordThatClaimsToBeHugeEndsTheReplay) {
  LeaveTenInTheJournal();
  // The first record's size is its first field.
  Overwrite(path_ / "journal", 0, "\xff\xff\xff\xff");
  EXPECT_EQ(Dump(*OpenStore(path_)), "");
}

TEST_F(StoreCrash, RecordsOfAnOlderEpochAreNeverRead) {
  InKilledProcess(path_, WithoutThreads(), [&](Store& store) {
    // Ten records that are committed, and one in the other half; then one that is written over the
    // first of them: the other nine still lie behind it.
    return PutCounted(store, 10, 19) && store.Tick().has_value() &&
           Put(store, "key10", "newer").has_value() && store.Tick().has_value() &&
           Put(store, "key10", "new").has_value() &&
           store
               .Update([](Transaction& transaction) {
                 transaction.Delete(Table::kNames, "key11");
                 return Result<void>();
               })
               .has_value();
  });
  EXPECT_EQ(Dump(*OpenStore(path_)), "key10=new " + Counted(12, 19));
}

TEST_F(StoreCrash, AJournalOfAnotherStoreIsNotReadIntoANewOne) {
  LeaveTenInTheJournal();
  std::filesystem::remove(path_ / "data.mdb");
  EXPECT_EQ(Dump(*OpenStore(path_)), "");
}

TEST_F(StoreCrash, AMissingJournalIsMadeAnew) {
  {
    auto const store = OpenStore(path_);
    ASSERT_TRUE(PutCounted(*store, 10, 12));
  }
  std::filesystem::remove(path_ / "journal");
  auto const store = OpenStore(path_);
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(Dump(*store), Counted(10, 12));
  EXPECT_TRUE(Ok(Put(*store, "more", "1")));
}

// ---- power

// Whoever opens it may die of it; what he says otherwise has to be that it is damaged.
TEST_F(StoreCrash, NoiseInTheHeadIsDamageOrDoesNoHarm) {
  {
    auto const store = OpenStore(path_);
    ASSERT_TRUE(PutCounted(*store, 10, 12));
  }
  auto const whole = tusfs_testing::ReadFile(path_ / "data.mdb");
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    auto const copy = dir_ / ("noise" + std::to_string(seed));
    std::filesystem::copy(path_, copy);
    auto bytes = whole;
    auto const noise = tusfs_testing::RandomBytes(1 + seed % 40, seed);
    // In both of the pages that LMDB chooses from.
    for (auto const page : {0U, 4096U}) bytes.replace(page + seed * 7 % 160, noise.size(), noise);
    tusfs_testing::WriteFile(copy / "data.mdb", bytes);
    auto const child = ::fork();
    if (child == 0) {
      auto const store = Store::Open(copy, {}, QuietLogger());
      ::_exit(store || store.error().code == EUCLEAN || store.error().code == EPROTO
                  ? 0
                  : store.error().code);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0)
        << "seed " << seed << ": " << std::generic_category().message(WEXITSTATUS(status));
    std::filesystem::remove_all(copy);
  }
}

TEST_F(StoreCrash, SyncedStateSurvivesAPowerCut) {
  auto const store = OpenStore(path_, OnlyWhenAsked());
  ASSERT_TRUE(PutCounted(*store, 10, 14));
  ASSERT_TRUE(Ok(store->Sync()));
  ASSERT_TRUE(PutCounted(*store, 15, 19));
  CopyAsAfterPowerCut(*store, path_, dir_ / "copy");
  EXPECT_EQ(Dump(*OpenStore(dir_ / "copy")), Counted(10, 14));
}

TEST_F(StoreCrash, WithoutSyncAPowerCutLeavesAPrefix) {
  auto const store =
      OpenStore(path_, {.journal_size = 16'384, .commit_interval = std::chrono::milliseconds(1)});
  for (int i = 10; i <= 99; ++i) {
    ASSERT_TRUE(PutCounted(*store, i, i));
    if (i % 9 == 0) {
      auto const copy = dir_ / ("copy" + std::to_string(i));
      CopyAsAfterPowerCut(*store, path_, copy);
      auto const rows = Dump(*OpenStore(copy));
      EXPECT_TRUE(Counted(10, i).starts_with(rows)) << rows;
    }
  }
}

TEST_F(StoreCrash, WithoutSyncAnUpdateIsDurableSoon) {
  auto const store = OpenStore(path_);
  ASSERT_TRUE(PutCounted(*store, 10, 19));
  int tries = 0;
  EXPECT_TRUE(WaitFor(
      [&] {
        auto const copy = dir_ / ("copy" + std::to_string(tries++));
        CopyAsAfterPowerCut(*store, path_, copy);
        return Dump(*OpenStore(copy)) == Counted(10, 19);
      },
      std::chrono::seconds(5)));
}

TEST_F(StoreCrash, APowerCutThatKeptALaterJournalIsStillAPrefix) {
  auto const store = OpenStore(path_, WithoutThreads());
  ASSERT_TRUE(PutCounted(*store, 10, 11));
  ASSERT_TRUE(Ok(store->Tick()));
  CopyAsAfterPowerCut(*store, path_, dir_ / "copy");
  auto const with_journal_of_now = [&] {
    std::filesystem::copy(dir_ / "copy", dir_ / "with it");
    std::filesystem::copy_file(path_ / "journal", dir_ / "with it" / "journal",
                               std::filesystem::copy_options::overwrite_existing);
    auto rows = Dump(*OpenStore(dir_ / "with it"));
    std::filesystem::remove_all(dir_ / "with it");
    return rows;
  };
  // LMDB's commits are lost, but what they have is in the journal.
  ASSERT_TRUE(PutCounted(*store, 12, 13));
  ASSERT_TRUE(Ok(store->Tick()));
  ASSERT_TRUE(PutCounted(*store, 14, 15));
  EXPECT_EQ(with_journal_of_now(), Counted(10, 15));
  ASSERT_TRUE(Ok(store->Tick()));
  ASSERT_TRUE(PutCounted(*store, 16, 17));  // over 12 and 13
  EXPECT_EQ(with_journal_of_now(), Counted(10, 11));
}

TEST_F(StoreCrash, BothHalvesOfTheJournalAreReplayedInTheirOrder) {
  StoreOptions options{.journal_size = 8192, .commit_interval = kNever, .background = false};
  int last = 10;
  InKilledProcess(path_, options, [&](Store& store) {
    // The second half is begun when the first one is full; LMDB commits with the third.
    return PutCounted(store, 10, 99);
  });
  last = 99;
  auto const rows = Dump(*OpenStore(path_, options));
  EXPECT_EQ(rows, Counted(10, last));
}

// Kills at any moment, with commits at any moment: as a model of it says.
TEST_F(StoreCrash, WhateverIsCommittedMeanwhileReadsAndReplaysAgreeWithAModel) {
  constexpr int kRounds = 40;
  StoreOptions const options{
      .journal_size = 16'384, .commit_interval = kNever, .background = false};
  std::mt19937 random(7);
  auto const below = [&](unsigned count) { return static_cast<int>(random() % count); };
  std::map<std::string, std::string> model;
  auto const rows_from = [&](std::string const& prefix, std::string const& first) {
    std::string rows;
    for (auto at = model.lower_bound(first.empty() ? prefix : first);
         at != model.end() && at->first.starts_with(prefix); ++at) {
      rows += at->first + "=" + at->second + " ";
    }
    return rows;
  };
  for (int round = 0; round < kRounds; ++round) {
    auto const store = OpenStore(path_, options);  // its end leaves what a kill leaves
    ASSERT_NE(store, nullptr);
    for (int step = below(60); step > 0; --step) {
      auto const changed = store->Update([&](Transaction& transaction) -> Result<void> {
        for (int change = below(4); change >= 0; --change) {
          auto const key =
              std::string(1, static_cast<char>('a' + below(3))) + std::to_string(below(30));
          if (below(3) == 0) {
            transaction.Delete(Table::kNames, key);
            model.erase(key);
          } else {
            auto const value = std::string(static_cast<std::size_t>(below(200)), 'v');
            transaction.Put(Table::kNames, key, value);
            model[key] = value;
          }
        }
        return {};
      });
      ASSERT_TRUE(Ok(changed));
      bool const ticks = below(15) == 0;
      ASSERT_TRUE(!ticks || Ok(store->Tick()));
      auto const prefix = below(2) == 0 ? "" : std::string(1, static_cast<char>('a' + below(4)));
      auto const first = below(2) == 0 ? "" : prefix + std::to_string(below(30));
      std::string rows;
      auto const scanned = store->Read([&](View const& view) {
        return view.Scan(Table::kNames, prefix, first, [&](auto key, auto value) {
          rows += std::string(key) + "=" + std::string(value) + " ";
          return true;
        });
      });
      ASSERT_TRUE(Ok(scanned));
      ASSERT_EQ(rows, rows_from(prefix, first)) << prefix << " from " << first;
      auto const key = "a" + std::to_string(below(30));
      auto const known = model.find(key);
      ASSERT_EQ(Get(*store, key),
                known == model.end() ? std::nullopt : std::optional(known->second));
    }
  }
}

TEST_F(StoreCrash, AnActionNeverRunsBeforeItsOperationWouldSurviveAPowerCut) {
  auto const store =
      OpenStore(path_, {.journal_size = 8192, .commit_interval = std::chrono::milliseconds(1)});
  std::atomic<int> ran = 0;
  for (int i = 10; i <= 60; ++i) {
    auto const key = "key" + std::to_string(i);
    auto const done = store->Update([&](Transaction& transaction) -> Result<void> {
      transaction.Put(Table::kNames, key, std::string(500, 'v'));
      transaction.WhenDurable([this, key, &ran, &store] {
        auto const copy = dir_ / ("copy of " + key);
        CopyAsAfterPowerCut(*store, path_, copy);
        EXPECT_TRUE(Get(*OpenStore(copy), key)) << key;
        ++ran;
      });
      return {};
    });
    ASSERT_TRUE(Ok(done));
  }
  EXPECT_TRUE(WaitFor([&] { return ran == 51; }));
}

TEST_F(StoreCrash, AnActionOfAKilledProcessNeverRuns) {
  auto const trace = dir_ / "trace";
  InKilledProcess(path_, OnlyWhenAsked(), [&](Store& store) {
    return store
        .Update([&](Transaction& transaction) -> Result<void> {
          transaction.Put(Table::kNames, "a", "1");
          transaction.WhenDurable([&] { WriteFile(trace, "ran"); });
          return {};
        })
        .has_value();
  });
  { auto const store = OpenStore(path_); }
  EXPECT_FALSE(std::filesystem::exists(trace));
}

// ---- numbers

std::uint64_t NewVersionNumber(Store& store) {
  auto const number = store.Update(
      [](Transaction& transaction) { return transaction.NewNumber(Counter::kVersion); });
  EXPECT_TRUE(Ok(number));
  return number.value_or(0);
}

TEST_F(StoreCrash, NumbersNeverRepeatAcrossKills) {
  std::uint64_t highest = 0;
  for (int round = 0; round < 3; ++round) {
    auto const shared = dir_ / "numbers";
    InKilledProcess(path_, OnlyWhenAsked(), [&](Store& store) {
      auto const first = NewVersionNumber(store);
      std::uint64_t last = first;
      for (int i = 0; i < 5000; ++i) last = NewVersionNumber(store);
      WriteFile(shared, std::to_string(first) + " " + std::to_string(last));
      return true;
    });
    std::istringstream numbers(ReadFile(shared));
    std::uint64_t first = 0;
    std::uint64_t last = 0;
    numbers >> first >> last;
    EXPECT_GT(first, highest);
    highest = last;
  }
}

TEST_F(StoreCrash, NumbersNeverRepeatAfterAPowerCut) {
  auto options = OnlyWhenAsked();
  options.boot = "first";
  auto const store = OpenStore(path_, options);
  std::uint64_t last = 0;
  for (int i = 0; i < 5000; ++i) last = NewVersionNumber(*store);
  CopyAsAfterPowerCut(*store, path_, dir_ / "copy");
  options.boot = "second";
  EXPECT_GT(NewVersionNumber(*OpenStore(dir_ / "copy", options)), last);
}

// Rows and numbers until the process is killed, with the map's end anywhere in between.
TEST_F(StoreCrash, NumbersNeverRepeatHoweverFullTheMapIsWhenTheProcessDies) {
  StoreOptions const options{
      .map_size = 65'536, .journal_size = kTestJournal, .commit_interval = kNever};
  for (int rows = 4; rows < 64; rows += rows < 30 ? 1 : 2) {
    auto const path = dir_ / ("catalog" + std::to_string(rows));
    auto const given = dir_ / ("given" + std::to_string(rows));
    std::uint64_t highest = 0;
    for (int const count : {rows, 1}) {
      InKilledProcess(path, options, [&](Store& store) {
        std::uint64_t last = 0;
        for (int i = 0; i < count; ++i) {
          if (!Put(store, "key" + std::to_string(i), std::string(3000, 'v'))) return false;
          for (int j = 0; j < 1400; ++j) {
            auto const number = store.Update(
                [](Transaction& transaction) { return transaction.NewNumber(Counter::kInode); });
            if (!number || *number <= last) return false;
            if (last == 0) WriteFile(given, std::to_string(*number));
            last = *number;
          }
        }
        std::ofstream(given, std::ios::app) << " " << last;
        return true;
      });
      std::istringstream numbers(ReadFile(given));
      std::uint64_t first = 0;
      std::uint64_t last = 0;
      numbers >> first >> last;
      ASSERT_GT(first, highest) << "given twice, after " << rows << " rows";
      highest = last;
    }
    std::filesystem::remove_all(path);
  }
}

// ---- files that fail

// A disk error that LMDB does not get over: every call of it fails from then on.
TEST_F(StoreCrash, AnErrorOfTheDiskEndsTheProcessAndItsSuccessorGoesOn) {
  constexpr int kEnded = 77;
  auto const child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto options = OnlyWhenAsked();
    options.commit_interval = std::chrono::milliseconds(1);
    options.on_failure = [](Error const&) { ::_exit(kEnded); };
    auto const store = OpenStore(path_, options);
    ::signal(SIGXFSZ, SIG_IGN);
    // LMDB's file cannot grow any more, and not for want of room.
    rlimit const limit{.rlim_cur = kTestJournal, .rlim_max = kTestJournal};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    for (int i = 10; i < 100; ++i) Put(*store, "key" + std::to_string(i), std::string(50'000, 'v'));
    Put(*store, "last", "1");
    ::alarm(20);
    ::pause();
    ::_exit(1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), kEnded);
  auto const store = OpenStore(path_);
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(Get(*store, "key10"), std::string(50'000, 'v'));
}

// ---- damage

TEST_F(StoreCrash, GarbageIsRefusedWithASentence) {
  std::filesystem::create_directory(path_);
  WriteFile(path_ / "data.mdb", tusfs_testing::RandomBytes(100'000));
  auto const store = Store::Open(path_, {}, QuietLogger());
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, EUCLEAN);
  EXPECT_THAT(store.error().context, HasSubstr(path_.string()));
  EXPECT_THAT(store.error().context, HasSubstr("damaged"));
}

TEST_F(StoreCrash, ATruncatedFileIsRefusedWithASentence) {
  {
    auto const store = OpenStore(path_);
    for (int i = 0; i < 200; ++i) {
      ASSERT_TRUE(Ok(Put(*store, "key" + std::to_string(i), std::string(2000, 'v'))));
    }
  }
  auto const size = std::filesystem::file_size(path_ / "data.mdb");
  for (auto const left : {size / 2, size - 1, std::uintmax_t{3 * 4096}, std::uintmax_t{5000},
                          std::uintmax_t{4096}, std::uintmax_t{100}}) {
    auto const copy = dir_ / ("copy" + std::to_string(left));
    std::filesystem::create_directory(copy);
    std::filesystem::copy_file(path_ / "data.mdb", copy / "data.mdb");
    std::filesystem::resize_file(copy / "data.mdb", left);
    auto const store = Store::Open(copy, {}, QuietLogger());
    ASSERT_FALSE(store) << left;
    EXPECT_EQ(store.error().code, EUCLEAN) << left << " " << store.error().context;
    EXPECT_THAT(store.error().context, HasSubstr("damaged"));
  }
}

TEST_F(StoreCrash, AnEmptyFileIsANewStore) {
  std::filesystem::create_directory(path_);
  WriteFile(path_ / "data.mdb", "");
  auto const store = OpenStore(path_);
  ASSERT_NE(store, nullptr);
  EXPECT_TRUE(Ok(Put(*store, "a", "1")));
}

TEST_F(StoreCrash, AStoreOfANewerTusfsIsRefusedWithASentenceAndLeftAsItIs) {
  { auto const store = OpenStore(path_); }
  {
    auto const environment = Environment::Open(path_, 1 << 20, 99, QuietLogger());
    ASSERT_TRUE(Ok(environment));
    auto const newer = Encoder().Number(std::uint64_t{99}).Take();
    ASSERT_TRUE(Ok((*environment)->Commit({}, {{"schema", newer}})));
  }
  auto const before = ReadFile(path_ / "data.mdb");
  auto const store = Store::Open(path_, {}, QuietLogger());
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, EPROTO);
  EXPECT_THAT(store.error().context, HasSubstr("newer tusfs"));
  EXPECT_THAT(store.error().context, HasSubstr("99"));
  EXPECT_EQ(ReadFile(path_ / "data.mdb"), before);
}

TEST_F(StoreCrash, AnUnwritableDirectoryIsRefusedWithItsName) {
  WriteFile(dir_ / "file", "");
  auto const store = Store::Open(dir_ / "file" / "catalog", {}, QuietLogger());
  ASSERT_FALSE(store);
  EXPECT_THAT(Describe(store.error()), HasSubstr("file/catalog"));
}

}  // namespace
}  // namespace tusfs
