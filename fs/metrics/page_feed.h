// What the page shows now, and when that is another: one look at the mount (control/watchers.h) for
// all who have the page open.
//
// It looks only while somebody has asked in the last half minute, or is being told; else it costs
// nothing. Any thread; Await blocks. A reader who is one too many takes the place of the one who
// has been there longest, because nothing tells of phones that have gone.
#pragma once

#include <sys/eventfd.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/mutex.h"
#include "control/progress.h"

namespace tusfs {

struct PageNews {
  nlohmann::json told;       ///< the line of a watch that is live
  std::string sentence;      ///< of Progress
  bool is_safe = false;      ///< nothing is left to send, and nothing is stuck
  int percent = 0;           ///< 0 to 100, while files are going
  std::uint64_t number = 0;  ///< grows with each that is another
};

class PageFeed {
 public:
  /// Has the connection told, line by line, what a live watch of the mount says (Watchers::Add).
  using Watch = std::function<bool(UniqueFd& connection)>;

  /// `watch` outlives it. Errors: of eventfd(2).
  [[nodiscard]] static Result<std::unique_ptr<PageFeed>> Start(Watch watch);
  ~PageFeed();

  /// The newest; nothing where none comes within some seconds, or the feed has ended.
  [[nodiscard]] std::optional<PageNews> Now() EXCLUDES(mutex_);

  /// Somebody who is told, while it lives.
  class Reader {
   public:
    explicit Reader(PageFeed& feed);
    ~Reader();
    Reader(Reader const&) = delete;
    Reader& operator=(Reader const&) = delete;

    /// Waits for what the reader has not seen, at most one a second; nothing once it is not to be
    /// told more.
    [[nodiscard]] std::optional<PageNews> Await() { return feed_.Await(*this); }
    /// Whether another has its place.
    [[nodiscard]] bool IsReplaced() const { return feed_.IsReplaced(*this); }

   private:
    friend class PageFeed;
    PageFeed& feed_;
    std::uint64_t number_ = 0;  ///< of the reader; guarded by the feed's lock
    std::uint64_t seen_ = 0;    ///< of news
    SteadyTime told_at_{};
  };

  /// Nobody is told any more, and nobody waits.
  void Stop() EXCLUDES(mutex_);

  static constexpr std::size_t kMostReaders = 4;

 private:
  PageFeed(Watch watch, UniqueFd wake);
  std::optional<PageNews> Await(Reader& reader) EXCLUDES(mutex_);
  [[nodiscard]] bool IsReplaced(Reader const& reader) const EXCLUDES(mutex_);
  [[nodiscard]] bool Holds(Reader const& reader) const REQUIRES(mutex_);
  [[nodiscard]] bool IsToBeTold(Reader const& reader) const REQUIRES(mutex_);
  [[nodiscard]] bool IsWanted(SteadyTime now) const REQUIRES(mutex_);

  void Run() EXCLUDES(mutex_);
  /// False: it has ended.
  bool AwaitWanted() EXCLUDES(mutex_);
  void Look() EXCLUDES(mutex_);
  /// Waits for lines; false where nobody wants more, or none will come.
  bool Receive(int connection, std::string& text) EXCLUDES(mutex_);
  [[nodiscard]] int Patience() const EXCLUDES(mutex_);
  void Hear(nlohmann::json line) EXCLUDES(mutex_);
  void Tell() REQUIRES(mutex_);

  Watch const watch_;
  UniqueFd const wake_;  ///< an eventfd: somebody else wants to be told, or nobody

  mutable Mutex mutex_ ACQUIRED_AFTER(lock_order::kBehindLeaves);
  CondVar changed_;
  bool is_stopped_ GUARDED_BY(mutex_) = false;
  std::uint64_t readers_ever_ GUARDED_BY(mutex_) = 0;
  std::deque<std::uint64_t> readers_ GUARDED_BY(mutex_);  ///< their numbers
  SteadyTime asked_at_ GUARDED_BY(mutex_){};
  bool was_asked_ GUARDED_BY(mutex_) = false;
  Progress progress_ GUARDED_BY(mutex_);
  std::optional<PageNews> news_ GUARDED_BY(mutex_);
  std::uint64_t number_ GUARDED_BY(mutex_) = 0;
  std::jthread thread_;
};

}  // namespace tusfs
