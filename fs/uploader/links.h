// Links: several ways to the server at once, each a network interface of its own (--link).
//
// Says which link may take which job. Those of the lowest cost take anything; a dearer one takes
// what is urgent, what has waited for longer than the patience, and anything once all cheaper ones
// have been away for that long. Of several that may, the one with the fewest transfers does, so
// that each has something to carry. A link carries nothing while its interface is down or its
// budget is spent.
//
// Made and owned by the Uploader, whose transfer threads use it, as do reports. Thread-safe; its
// lock is behind those of the Store, the Queue and the Endpoints, which call it. Only AwaitUsable
// and AwaitAnswer block.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/clock.h"
#include "base/logger.h"
#include "base/mutex.h"
#include "catalog/link_usage.h"
#include "uploader/endpoint.h"
#include "uploader/link_options.h"
#include "uploader/queue.h"
#include "uploader/rate_meter.h"

namespace tusfs {

/// A link as people see it.
struct LinkReport {
  LinkOptions options{};
  /// down, unreachable (the server through it), spent, sending, waiting (for patience), idle.
  std::string_view state{};
  std::string why{};       ///< why it carries nothing, for a person; empty: nothing keeps it
  bool is_up = false;      ///< the interface can be used
  int sending = 0;         ///< transfers that it carries now
  std::uint64_t rate = 0;  ///< bytes per second, over the last ten seconds
  LinkUsage usage{};       ///< up to now, as a budget counts
};

/// Where one link's transfers meet the others'. Owned by Links.
class ServerLink;

class Links {
 public:
  /// `url`: without secrets, for the log. `transfers`: that one link carries at the same time.
  struct Options {
    std::vector<LinkOptions> links;
    std::chrono::milliseconds patience{};
    int transfers = 1;
    std::string url{};
  };
  /// `clock` outlives it. All links are down until SetInterface says otherwise.
  Links(Options options, Clock const& clock, Logger logger);
  ~Links();
  Links(Links const&) = delete;
  Links& operator=(Links const&) = delete;

  [[nodiscard]] std::size_t size() const { return links_.size(); }
  [[nodiscard]] ServerLink& at(std::size_t index) { return *links_[index]; }
  [[nodiscard]] LinkOptions const& options(std::size_t index) const {
    return options_.links[index];
  }

  /// What the catalog has of each. Once, before anything is sent. Errors: the catalog's.
  [[nodiscard]] Result<void> Load(View const& view) EXCLUDES(mutex_);
  enum class Change { kNone, kWentDown, kOther };
  /// `why_down`: why its interface cannot be used, or empty.
  Change SetInterface(std::size_t index, std::string const& why_down) EXCLUDES(mutex_);
  /// What the link's endpoint has become; called with the endpoint's lock held.
  void SetServer(std::size_t index, Endpoint::State const& state) EXCLUDES(mutex_);

  /// Waits until the link can be used: its interface is up, and its budget is not spent. What is
  /// returned fires when the interface goes down, and on End.
  [[nodiscard]] std::stop_token AwaitUsable(std::size_t index) EXCLUDES(mutex_);
  [[nodiscard]] bool IsUsable(std::size_t index) const EXCLUDES(mutex_);
  /// Whether something has changed since the last call, that decides who may take what.
  [[nodiscard]] bool TakeNews() EXCLUDES(mutex_);
  void End() EXCLUDES(mutex_);

  /// As one server: reachable where one link reaches it.
  [[nodiscard]] Endpoint::State Server() const EXCLUDES(mutex_);
  /// Waits until a link reaches the server, each has been tried, or `deadline`.
  [[nodiscard]] Endpoint::State AwaitAnswer(SteadyTime deadline) const EXCLUDES(mutex_);
  [[nodiscard]] std::vector<LinkReport> Report() const EXCLUDES(mutex_);

 private:
  friend class ServerLink;
  struct Entry {
    std::string why_down = "its interface was not looked at yet";  ///< empty: it is up
    bool looked = false;                                           ///< it was since
    std::stop_source session{};  ///< of the time in which it is up
    Endpoint::State server{};
    SteadyTime away_since{};  ///< where it does not serve
    LinkUsage usage{};
    std::uint64_t held = 0;  ///< bytes of bodies that are on their way, and not counted yet
    bool said_spent = false;
    bool trying = false;  ///< a job finds out what the server is
    int running = 0;
    std::uint64_t speed = 0;  ///< bytes per second, when it carried something last
    RateMeter meter{};
  };

  [[nodiscard]] LinkUsage UsageNow(std::size_t index) const REQUIRES(mutex_);
  /// Bytes; nothing where it has no budget.
  [[nodiscard]] std::optional<std::uint64_t> Left(std::size_t index) const REQUIRES(mutex_);
  /// Whether the bodies that are on their way have all that is left of its budget.
  [[nodiscard]] bool IsTaken(std::size_t index) const REQUIRES(mutex_);
  [[nodiscard]] bool Usable(std::size_t index) const REQUIRES(mutex_);
  /// Whether something can be sent through it now, as far as is known.
  [[nodiscard]] bool Serves(std::size_t index) const REQUIRES(mutex_);
  [[nodiscard]] bool IsCheapest(std::size_t index) const REQUIRES(mutex_);
  /// Since when all that cost less are away; nothing where one is not.
  [[nodiscard]] std::optional<SteadyTime> CheaperAwaySince(std::size_t index) const
      REQUIRES(mutex_);
  [[nodiscard]] SteadyTime OpenFrom(std::size_t index, Priority priority, SteadyTime since) const
      REQUIRES(mutex_);
  /// Of those that may take a job the one with the lowest does.
  using Rank = std::tuple<int, int, std::uint64_t, std::size_t>;
  [[nodiscard]] Rank RankOf(std::size_t index) const REQUIRES(mutex_);
  /// As of a Taker.
  [[nodiscard]] std::optional<SteadyTime> MayTake(std::size_t index, Priority priority,
                                                  SteadyTime since) const EXCLUDES(mutex_);
  [[nodiscard]] bool HasOthers(std::size_t index) const EXCLUDES(mutex_);
  void NoteAway(std::size_t index, bool served) REQUIRES(mutex_);
  void Combine() REQUIRES(mutex_);
  [[nodiscard]] std::string WhySpent(std::size_t index) const REQUIRES(mutex_);
  [[nodiscard]] std::string WhyNone() const REQUIRES(mutex_);
  void SayWhereSpent(std::size_t index) REQUIRES(mutex_);
  [[nodiscard]] std::string WhyNot(std::size_t index) const REQUIRES(mutex_);
  [[nodiscard]] LinkReport ReportOf(std::size_t index) const REQUIRES(mutex_);

  Options const options_;
  Clock const& clock_;
  Logger const logger_;
  mutable Mutex mutex_ ACQUIRED_AFTER(lock_order::kBehindLeaves);
  mutable CondVar changed_;
  std::vector<std::unique_ptr<ServerLink>> links_;
  std::vector<Entry> entries_ GUARDED_BY(mutex_);
  Endpoint::State server_ GUARDED_BY(mutex_);
  bool news_ GUARDED_BY(mutex_) = false;
  bool ended_ GUARDED_BY(mutex_) = false;
};

class ServerLink final : public Taker {
 public:
  ServerLink(Links& links, std::size_t index) : links_(links), index_(index) {}

  [[nodiscard]] std::string const& name() const { return links_.options(index_).name; }

  // As a Taker of the queue.
  [[nodiscard]] std::optional<SteadyTime> MayTake(Priority priority,
                                                  SteadyTime since) const override;
  [[nodiscard]] bool TakesAll() const override;
  void Took() override;
  void Gave() override;

  /// Whether the server is reached through another link now: what is wrong is this link's.
  [[nodiscard]] bool HasOthers() const;

  /// A job is about to find out what the server is, which nobody knows through this link yet.
  void SetTrying(bool trying);

  /// How many of `wanted` bytes of a body it may carry, by its budget; 0 where that is spent. They
  /// are held for it until LetGo.
  [[nodiscard]] std::uint64_t Hold(std::uint64_t wanted);
  void LetGo(std::uint64_t bytes);
  /// Body bytes have left through it: for its rate.
  void Sent(std::uint64_t bytes);
  /// The same in the catalog, for its budget: a twentieth more, for what HTTP, TLS and TCP add.
  /// Errors: the catalog's.
  [[nodiscard]] Result<void> Count(Transaction& transaction, std::uint64_t bytes);

 private:
  Links& links_;
  std::size_t const index_;
};

/// What a body holds of its link's budget, for as long as it is on its way.
class LinkHold {
 public:
  /// `link` may be null; it outlives the hold.
  explicit LinkHold(ServerLink* link) : link_(link) {}
  ~LinkHold() {
    if (link_ != nullptr) link_->LetGo(held_);
  }
  LinkHold(LinkHold const&) = delete;
  LinkHold& operator=(LinkHold const&) = delete;

  /// Once. Of `wanted` bytes, those that it got.
  [[nodiscard]] std::uint64_t Take(std::uint64_t wanted) {
    held_ = link_ != nullptr ? link_->Hold(wanted) : wanted;
    return held_;
  }

 private:
  ServerLink* const link_;
  std::uint64_t held_ = 0;
};

}  // namespace tusfs
