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

/// Options under which nothing is committed unless somebody asks.
inline StoreOptions OnlyWhenAsked() { return {.commit_interval = kNever}; }

inline std::unique_ptr<Store> OpenStore(std::filesystem::path const& directory,
                                        StoreOptions const& options = {}) {
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

/// What a power cut may leave: LMDB's file as it is now, and no journal. Holds the store's lock, so
/// that no commit runs under the copy.
inline void CopyAsAfterPowerCut(Store const& store, std::filesystem::path const& from,
                                std::filesystem::path const& to) {
  std::filesystem::create_directory(to);
  auto const copied = store.Read([&](View const&) -> Result<void> {
    std::filesystem::copy_file(from / "data.mdb", to / "data.mdb",
                               std::filesystem::copy_options::overwrite_existing);
    return {};
  });
  EXPECT_TRUE(Ok(copied));
}

}  // namespace tusfs
