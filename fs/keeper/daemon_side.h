// What a daemon knows of its keeper: how it was started, and the line between the two.
//
// Made once by the daemon's main thread. The watch runs on a thread of its own.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <thread>

#include "base/beneath.h"
#include "base/error.h"
#include "base/file.h"
#include "keeper/link.h"

namespace tusfs {

/// "NAME=value": tells a daemon which descriptors it has of its keeper. `url`: of a file that has
/// the URL, where that is nobody else's to see; -1: it is on the command line.
[[nodiscard]] std::string DaemonVariable(int link, int slots, int url = -1);

/// The status with which a daemon ends that knows: no successor can go on with this mount.
constexpr int kMountIsLost = 65;
/// The disk failed the catalog of a daemon that served: its successor goes on from the journal.
constexpr int kCatalogFailed = 66;
/// A daemon that served has found its catalog damaged: its successor looks at it before it goes on.
constexpr int kCatalogIsDamaged = 67;

class KeeperLine {
 public:
  /// Nothing where this process was not started by a keeper.
  [[nodiscard]] static std::optional<KeeperLine> FromEnvironment();

  /// The URL that the keeper tells nobody else; empty: it is on the command line.
  [[nodiscard]] std::string const& url() const { return url_; }

  /// The memory of the request slots; once.
  [[nodiscard]] UniqueFd TakeSlots() { return std::move(slots_); }

  /// Asks for the mount, which the keeper makes where there is none yet. Errors: ECANCELED where
  /// it will not give it; the keeper has said why.
  [[nodiscard]] Result<UniqueFd> TakeMount();

  /// What is not in the mount yet, as the keeper has told before it gave the mount.
  [[nodiscard]] FilesBeneath const& beneath() const { return beneath_; }

  void SayServing() { (void)link_.Send(Word::kServing); }
  /// False where the keeper does not listen now.
  bool SayStatus(std::string const& line) { return link_.Send(Word::kStatus, line).has_value(); }
  void SayAnnounced() { (void)link_.Send(Word::kAnnounced); }

  struct Calls {
    std::function<bool()> is_alive;   ///< whether this daemon works; may take its time
    std::function<void()> hand_over;  ///< a successor waits
    std::function<void()> alone;      ///< the keeper has died
    std::function<void(FilesBeneath const&)> beneath;  ///< what is not in the mount yet
  };
  /// Answers the keeper from now on. `calls` are used until the returned thread has ended, which
  /// it does when it is asked to stop.
  [[nodiscard]] std::jthread Watch(Calls calls);

 private:
  KeeperLine(Link link, UniqueFd slots, std::string url)
      : link_(std::move(link)), slots_(std::move(slots)), url_(std::move(url)) {}

  Link link_;
  UniqueFd slots_;
  std::string url_;
  FilesBeneath beneath_{};
};

}  // namespace tusfs
