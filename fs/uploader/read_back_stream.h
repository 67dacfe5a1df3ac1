// The part of one uploaded file that is here while somebody reads it, and the download that feeds
// it.
//
// Made by ReadBack, shared with the thread that downloads. FUSE threads call Read, one download
// thread at a time Run; Cancel and Nudge come from anywhere. Blocks that arrived are kept in a file
// without a name, at their own offsets; what was read longest ago goes. Its lock is a leaf.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <stop_token>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/logger.h"
#include "base/mutex.h"
#include "spool/budget.h"
#include "uploader/fetch.h"

namespace tusfs {

class ReadBackStream final : private BlockSink {
 public:
  struct Shared {
    Store const& store;
    Budget& budget;
    Clock const& clock;
    Logger logger;
    FetchRetry retry;
    std::uint64_t window = 0;  ///< bytes of disk; one block more while it arrives
    std::chrono::milliseconds idle{};
    std::function<void(InodeId)> arrived;  ///< called without a lock
    std::function<bool()> crowded;         ///< others wait for the thread; called under the lock
  };

  /// `shared` outlives it.
  ReadBackStream(Shared const& shared, Remote remote, UniqueFd scratch);
  ~ReadBackStream() override;
  ReadBackStream(ReadBackStream const&) = delete;
  ReadBackStream& operator=(ReadBackStream const&) = delete;

  [[nodiscard]] Remote const& remote() const { return remote_; }

  /// Bytes from `offset` on, fewer only at the end. Sets `start` where somebody has to call Run.
  /// Errors: EAGAIN until `arrived`; EIO.
  [[nodiscard]] Result<std::size_t> Read(std::uint64_t offset, std::span<std::byte> out,
                                         bool& start) EXCLUDES(mutex_);

  /// Downloads while somebody waits, and some blocks ahead of who reads.
  void Run(tus::Client& client) EXCLUDES(mutex_);

  /// Ends Run within 100 ms, for good.
  void Cancel() EXCLUDES(mutex_);

  /// The answer of `crowded` may be another one.
  void Nudge() EXCLUDES(mutex_);

 private:
  void Complain(LogLevel level, char const* what, std::string const& error) const;
  /// Bytes that somebody waits for; at least one block of them is missing.
  struct Want {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;

    bool operator==(Want const&) const = default;
  };

  bool Wants(std::uint64_t block) override EXCLUDES(mutex_);
  Result<void> Write(std::uint64_t offset, std::span<std::byte const> bytes) override;
  void Arrived(std::uint64_t block) override EXCLUDES(mutex_);

  [[nodiscard]] std::optional<std::uint64_t> NextBlock() EXCLUDES(mutex_);
  [[nodiscard]] bool WaitToRetry(std::chrono::milliseconds delay) EXCLUDES(mutex_);
  void End(std::optional<Error> const& failure) EXCLUDES(mutex_);
  void DropUnfinished() EXCLUDES(mutex_);

  [[nodiscard]] std::optional<std::uint64_t> Missing(Want const& want) const REQUIRES(mutex_);
  [[nodiscard]] std::optional<std::uint64_t> Goal() const REQUIRES(mutex_);
  [[nodiscard]] std::optional<std::uint64_t> Ahead() const REQUIRES(mutex_);
  void NotePosition(Want const& want) REQUIRES(mutex_);
  void MakeRoom(std::uint64_t newest) REQUIRES(mutex_);
  void Punch(std::uint64_t block) REQUIRES(mutex_);
  void ChargeBudget() REQUIRES(mutex_);

  Shared const& shared_;
  Remote const remote_;
  UniqueFd const scratch_;
  std::stop_source stop_;

  // Of the thread in Run.
  bool skips_ = false;  ///< the block that arrives is here already
  bool progress_ = false;
  std::optional<std::uint64_t> unfinished_;  ///< the block that arrives

  mutable Mutex mutex_ ACQUIRED_AFTER(lock_order::kBehindChanges)
      ACQUIRED_BEFORE(lock_order::kBehindLeaves);
  CondVar changed_;
  bool running_ GUARDED_BY(mutex_) = false;  ///< somebody is in Run, or was told to call it
  std::map<std::uint64_t, std::uint64_t> blocks_
      GUARDED_BY(mutex_);  ///< here → when used, by uses_
  std::uint64_t uses_ GUARDED_BY(mutex_) = 0;
  std::vector<Want> wants_ GUARDED_BY(mutex_);     ///< first come, first served
  std::uint64_t position_ GUARDED_BY(mutex_) = 0;  ///< of the last read
  std::uint64_t expected_ GUARDED_BY(mutex_) = 0;  ///< where a reader goes on that reads in order
  std::uint64_t in_order_since_ GUARDED_BY(mutex_) = 0;  ///< where he began to
  SteadyTime used_ GUARDED_BY(mutex_);                   ///< when somebody read last
  std::uint64_t taken_ GUARDED_BY(mutex_) = 0;           ///< bytes of disk
  std::optional<Error> failure_ GUARDED_BY(mutex_);
  SteadyTime failed_ GUARDED_BY(mutex_);
};

}  // namespace tusfs
