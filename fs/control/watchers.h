// Who waits for files to be uploaded (tusfsctl wait), or looks on (tusfsctl watch, the page), and
// is told instead of asking.
//
//   {"command": "watch", "path": P}  → a line whenever the numbers have changed:
//     {"going": FILES, "left": BYTES, "size": BYTES, "stuck": FILES, "sent": BYTES,
//      "reachable": BOOL, "paused": BOOL}, of these files beneath the mount ("", --import):
//      "beneath": {"waiting", "failed", "left"}, left out where there are none
//   and a last one: {"over": true}, with "beneath", when nothing there is going on, or {"error":
//   SENTENCE} "live": true                     → such lines are never over, and have more in them:
//     "server": {"since", "error"}, "sending": files whose bytes are on their way, and
//     "stuck_files": the first files that need somebody, both as "list" has them
//
// At most four lines a second, and none while nothing changes. One thread for all who wait; those
// of one path share its numbers. While nobody waits it does nothing, and the catalog tells it of
// nothing. A peer that does not read gets the newest numbers when it does.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "base/ids.h"
#include "base/mutex.h"
#include "catalog/store.h"
#include "filesystem/backlog.h"
#include "filesystem/report.h"
#include "uploader/uploader.h"

namespace tusfs {

/// What somebody who waits is told. What lies beneath the mount counts among the files of the whole
/// mount, and of no path in it.
struct News {
  Backlog::Numbers files;
  Reporter::Moment mount;

  bool operator==(News const&) const = default;
};
[[nodiscard]] News NewsOf(Backlog const& backlog, Reporter::Moment const& moment);
[[nodiscard]] nlohmann::json ToJson(News const& news);

class Watchers {
 public:
  /// The collaborators outlive it. Errors: of eventfd(2).
  /// `server_news`: an eventfd that is written to when the server is another than before.
  [[nodiscard]] static Result<std::unique_ptr<Watchers>> Start(Store& store,
                                                               Reporter const& reporter,
                                                               Uploader const& uploader,
                                                               UniqueFd server_news = {});
  /// Whoever still waits is hung up on.
  ~Watchers();

  /// The connection is told of what is beneath `path`, as the catalog spells it, from now on. Any
  /// thread. False where too many wait: nothing was done with the connection.
  [[nodiscard]] bool Add(std::string path, UniqueFd& connection, bool live = false)
      EXCLUDES(mutex_);

 private:
  struct Watcher {
    std::string path;
    UniqueFd connection;
    bool live = false;           ///< it looks on, and nothing is over
    std::optional<News> told{};  ///< what it was told last
    std::string told_live{};     ///< the same of one that looks on
    std::string unsent{};        ///< of a line
    bool is_last = false;        ///< `unsent` is all that it gets
  };
  /// Changed rows, by the catalog's word.
  struct Changed {
    bool any = false;
    bool moved = false;  ///< a directory has got a name: all beneath it has another path
    std::set<InodeId> inodes{};
    std::set<Uuid> uploads{};
  };

  Watchers(Store& store, Reporter const& reporter, Uploader const& uploader, UniqueFd wake,
           UniqueFd end, UniqueFd server_news);
  void Run(std::stop_token const& stop) EXCLUDES(mutex_);
  void Note(Table table, std::string_view key, std::optional<std::string_view> value)
      EXCLUDES(mutex_);
  void TakeNew() EXCLUDES(mutex_);
  [[nodiscard]] Changed TakeChanged() EXCLUDES(mutex_);
  /// Waits for news and for peers that leave.
  void Await() EXCLUDES(mutex_);
  void Look() EXCLUDES(mutex_);
  [[nodiscard]] std::set<InodeId> OwnersOf(Changed const& changed) const;
  Result<void> Look(Backlog& backlog, Changed const& changed, std::set<InodeId> const& inodes,
                    bool look_at_some);
  void Tell(Watcher& watcher, News const& news);
  void TellLive(Watcher& watcher, Backlog const& backlog, News const& news);
  [[nodiscard]] nlohmann::json LiveJson(Backlog const& backlog, News const& news) const;
  /// How long Await waits where nothing is told.
  [[nodiscard]] int Patience() const;
  void Say(Watcher& watcher, std::string const& line);
  static void Send(Watcher& watcher);
  void DropLeft();

  Store& store_;
  Reporter const& reporter_;
  Uploader const& uploader_;
  UniqueFd const wake_;  ///< an eventfd: there is news
  UniqueFd const end_;   ///< an eventfd that ends Run
  UniqueFd const server_news_;

  Mutex mutex_ ACQUIRED_AFTER(lock_order::kBehindChanges)
      ACQUIRED_BEFORE(lock_order::kBehindLeaves);
  std::vector<Watcher> new_ GUARDED_BY(mutex_);
  std::size_t count_ GUARDED_BY(mutex_) = 0;  ///< of all, new ones too
  Changed changed_ GUARDED_BY(mutex_);

  // The thread's own.
  std::vector<Watcher> watchers_;
  std::map<std::string, std::unique_ptr<Backlog>> backlogs_;  ///< by path
  std::optional<std::uint64_t> observing_;
  SteadyTime looked_at_;      ///< when it last looked at what had changed
  SteadyTime looked_about_;   ///< when it last looked at some that had not
  SteadyTime counted_moved_;  ///< when it last counted anew for a directory that had moved
  std::jthread thread_;
};

}  // namespace tusfs
