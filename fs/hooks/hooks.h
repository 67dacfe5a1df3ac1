// Tells programs of the user what has happened to files and to the server (tusfs(1), "HOOKS").
//
// An event is written down in the same operation of the catalog that makes it happen, and crossed
// out after its program has ended with 0: a death in between runs the program once more, with the
// same id. Programs run on threads of their own, a few at once, each for a limited time; one that
// fails is asked again with growing pauses, and where it fails for one event after the other, all
// of its events wait. Nothing of the mount waits for a program.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/logger.h"
#include "base/mutex.h"
#include "catalog/store.h"
#include "hooks/event.h"

namespace tusfs {

struct HookOptions {
  std::map<Lane, std::vector<std::string>> programs{};  ///< their words; only those that are set
  std::string mount{};                                  ///< the mount point, absolute
  std::chrono::milliseconds timeout{60'000};            ///< of one run
  int at_once = 4;                                      ///< programs
  std::size_t most_waiting = 200'000;                   ///< events of a lane
  std::chrono::milliseconds first_pause{1'000};         ///< after a failure; doubles with each
  std::chrono::milliseconds longest_pause{600'000};
  /// So long an event is tried which fails while its program takes others.
  std::chrono::milliseconds patience{86'400'000};
};

class Hooks {
 public:
  /// `clock` outlives it.
  Hooks(HookOptions options, Clock const& clock, Logger logger);
  ~Hooks() { Stop(); }

  /// Writes down what a program is to be told of; nothing where none is. With the store's lock
  /// held; hooks outlive the store.
  void Add(Transaction& transaction, Passing const& passing);
  void Add(Transaction& transaction, Event const& event);

  /// Finds what waits, forgets what waits for programs that are not set any more, and starts the
  /// threads. `store` stays there until Stop. Errors: the catalog's.
  [[nodiscard]] Result<void> Start(Store& store);
  /// Kills what is running, whose events wait for the next start.
  void Stop() EXCLUDES(mutex_);

  [[nodiscard]] bool HasPrograms() const { return !options_.programs.empty(); }

  struct Report {
    std::size_t waiting = 0;   ///< events
    std::uint64_t told = 0;    ///< events that a program took, since this daemon started
    std::uint64_t lost = 0;    ///< events that are not told any more, since this daemon started
    FileTime failed_at = 0;    ///< when a program failed last; 0: none has
    std::string failed_event;  ///< what it was told of: the event's name and the path
    std::string failure;       ///< how
  };
  [[nodiscard]] Report report() const EXCLUDES(mutex_);

 private:
  struct Item {
    Event event;
    SteadyTime due;
    std::optional<SteadyTime> first_failure{};
    int attempts = 0;
    bool is_running = false;
  };
  struct Queue {
    std::vector<std::string> argv;
    std::map<std::string, Item> items;  ///< the oldest that wait, by the keys of their rows
    std::uint64_t added = 0;            ///< rows, since the start
    bool is_loading = false;
    std::set<std::string> crossed_out;  ///< while it is loading
    int running = 0;
    int failures = 0;  ///< in a row, until one was taken
    SteadyTime paused_until{};
    SteadyTime taken_at{};  ///< when its program took an event last
  };
  struct Turn {
    Lane lane = Lane::kUploaded;
    std::string key;
    Event event;
    std::vector<std::string> argv;
    int attempt = 0;
  };

  [[nodiscard]] Queue& At(Lane lane) REQUIRES(mutex_) {
    return queues_[static_cast<std::size_t>(lane) - 1];
  }
  [[nodiscard]] std::atomic<std::size_t>& CountOf(Lane lane) {
    return counts_[static_cast<std::size_t>(lane) - 1];
  }
  [[nodiscard]] bool IsSet(Lane lane) const { return options_.programs.contains(lane); }
  void NoteAdded(Lane lane) EXCLUDES(mutex_);
  [[nodiscard]] Result<void> Forget(Lane lane);

  void Run(std::stop_token const& stop) EXCLUDES(mutex_);
  [[nodiscard]] std::optional<Turn> Take(std::stop_token const& stop) EXCLUDES(mutex_);
  /// The first event of the lane that is due; else `next` is when one will be.
  [[nodiscard]] std::optional<Turn> TakeOf(Lane lane, SteadyTime now, SteadyTime& next)
      REQUIRES(mutex_);
  /// A lane of which more rows wait than are here.
  [[nodiscard]] std::optional<Lane> ToLoad() REQUIRES(mutex_);
  void Load(Lane lane) EXCLUDES(mutex_);
  void Tell(Turn const& turn, std::stop_token const& stop) EXCLUDES(mutex_);
  [[nodiscard]] Result<void> CrossOut(Turn const& turn) EXCLUDES(mutex_);
  void Taken(Turn const& turn) EXCLUDES(mutex_);
  void Failed(Turn const& turn, std::string const& why) EXCLUDES(mutex_);
  void LogSaid(Turn const& turn, std::string_view said) const;
  [[nodiscard]] std::chrono::milliseconds PauseAfter(int failures) const;
  HookOptions const options_;
  std::vector<std::string> const environment_;  ///< that every program gets
  Clock const& clock_;
  Logger const logger_;
  Store* store_ = nullptr;                                            ///< from Start on
  std::array<std::atomic<std::size_t>, std::size(kLanes)> counts_{};  ///< rows that wait
  std::atomic<std::uint64_t> lost_ = 0;
  mutable Mutex mutex_ ACQUIRED_AFTER(lock_order::kBehindChanges)
      ACQUIRED_BEFORE(lock_order::kBehindLeaves);
  CondVar changed_;
  std::array<Queue, std::size(kLanes)> queues_ GUARDED_BY(mutex_);
  std::size_t turn_ GUARDED_BY(mutex_) = 0;  ///< which lane is looked at first
  Report report_ GUARDED_BY(mutex_);
  std::vector<std::jthread> threads_;
};

}  // namespace tusfs
