// Local trouble for a daemon under test: a disk that fails or is slow, and jumps of the clock,
// switched on and off while it runs.
//
// The other half is trouble_preload.cc, a library that is preloaded into the daemon and looks at
// the same shared file before each call.
#pragma once

#include <atomic>
#include <cstdint>

namespace tusfs_testing {

constexpr char const* kTroubleVariable = "TUSFS_TEST_TROUBLE";

/// In the shared file; zeros: no trouble. Errors and delays hit the spool's files, those of the
/// catalog where they say so.
struct LocalTrouble {
  std::atomic<std::int32_t> read_error;       ///< an errno for pread(2)
  std::atomic<std::int32_t> write_error;      ///< an errno for pwrite(2)
  std::atomic<std::int32_t> sync_error;       ///< an errno for fdatasync(2)
  std::atomic<std::int64_t> clock_jump;       ///< nanoseconds that are added to CLOCK_REALTIME
  std::atomic<std::uint64_t> errors_given{};  ///< how many calls have failed for it
  std::atomic<std::int32_t> catalog_error{};  ///< an errno for synced writes, of LMDB's head
  // Milliseconds that a call takes longer.
  std::atomic<std::int32_t> write_delay{};   ///< pwrite(2)
  std::atomic<std::int32_t> sync_delay{};    ///< fdatasync(2)
  std::atomic<std::int32_t> unlink_delay{};  ///< unlink(2)
  std::atomic<std::int32_t>
      catalog_sync_delay{};                   ///< fdatasync(2) and synced writes, of the catalog
  std::atomic<std::uint64_t> delays_begun{};  ///< how many calls are, or were, held up
  std::atomic<std::uint64_t> syncs{};         ///< fdatasync(2), of all files
};

}  // namespace tusfs_testing
