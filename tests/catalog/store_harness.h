// A store in a directory of its own, and the two ways in which its process can end badly.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "base/fakes.h"
#include "catalog/store.h"
#include "testing/files.h"

namespace tusfs {

constexpr std::chrono::milliseconds kNever{3'600'000};

constexpr std::uint64_t kTestJournal = std::uint64_t{1} << 20;

/// Options under which nothing is committed unless somebody asks.
inline StoreOptions OnlyWhenAsked() {
  return {.journal_size = kTestJournal, .commit_interval = kNever};
}

/// Options under which everything happens when somebody asks.
inline StoreOptions WithoutThreads() { return {.journal_size = kTestJournal, .background = false}; }

inline std::unique_ptr<Store> OpenStore(std::filesystem::path const& directory,
                                        StoreOptions const& options = {
                                            .journal_size = kTestJournal}) {
  auto store = Store::Open(directory, options, QuietLogger());
  EXPECT_TRUE(Ok(store));
  return store ? std::move(*store) : nullptr;
}

inline Result<void> Put(Store& store, std::string const& key, std::string const& value,
                        Table table = Table::kNames) {
  return store.Update([&](Transaction& transaction) -> Result<void> {
    transaction.Put(table, key, value);
    return {};
  });
}

inline std::optional<std::string> Get(Store const& store, std::string const& key,
                                      Table table = Table::kNames) {
  auto const row = store.Read([&](View const& view) { return view.Get(table, key); });
  EXPECT_TRUE(Ok(row));
  return row ? *row : std::nullopt;
}

/// "key=value " for every row, in order.
inline std::string Dump(Store const& store, Table table = Table::kNames) {
  std::string rows;
  auto const scanned = store.Read([&](View const& view) {
    return view.Scan(table, "", "", [&](std::string_view key, std::string_view value) {
      rows += std::string(key) + "=" + std::string(value) + " ";
      return true;
    });
  });
  EXPECT_TRUE(Ok(scanned));
  return rows;
}

/// Opens the store in a process of its own, runs `work(Store&)`, which returns whether all went
/// well, and kills the process: no destructor runs, nothing is committed.
template <typename Work>
void InKilledProcess(std::filesystem::path const& directory, StoreOptions const& options,
                     Work const& work) {
  pid_t const child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    auto const store = OpenStore(directory, options);
    if (!store || !work(*store)) ::_exit(1);
    ::kill(::getpid(), SIGKILL);
    ::_exit(2);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
      << "the child did not get to its end, status " << status;
}

/// Takes the records behind the one of number `durable` out of a journal.
inline void CutJournal(std::filesystem::path const& path, std::uint64_t durable) {
  auto bytes = tusfs_testing::ReadFile(path);
  auto const number = [&](std::size_t at, std::size_t size) {
    std::uint64_t value = 0;
    for (std::size_t i = size; i-- > 0;)
      value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
    return value;
  };
  constexpr std::size_t kHeader = 32;
  auto const half = bytes.size() / 2;
  for (auto begin : {std::size_t{0}, half}) {
    std::uint64_t before = 0;
    for (auto at = begin; at + kHeader <= begin + half;) {
      auto const sequence = number(at + 16, 8);
      if (sequence == 0 || (before != 0 && sequence != before + 1)) break;
      if (sequence > durable) {
        bytes.replace(at, kHeader, kHeader, '\0');
        break;
      }
      before = sequence;
      at += kHeader + number(at, 4);
    }
  }
  tusfs_testing::WriteFile(path, bytes);
}

/// The least that a power cut may leave now: LMDB's file, and of the journal what was synced.
inline void CopyAsAfterPowerCut(Store const& store, std::filesystem::path const& from,
                                std::filesystem::path const& to) {
  std::filesystem::create_directory(to);
  std::uint64_t durable = 0;
  // With the store's lock held, so that no half of the journal is written anew meanwhile.
  auto const copied = store.Read([&](View const&) -> Result<void> {
    durable = store.DurableSequence();
    for (auto const* file : {"data.mdb", "journal"}) {
      std::filesystem::copy_file(from / file, to / file,
                                 std::filesystem::copy_options::overwrite_existing);
    }
    return {};
  });
  EXPECT_TRUE(Ok(copied));
  CutJournal(to / "journal", durable);
}

}  // namespace tusfs
