// What the keeper does about the end of a daemon, and when the next one starts. Decisions alone: no
// process, no clock.
//
//   it ends with            status 0   65: no successor   another status,
//   while it …                         can go on          or killed
//   was ending              end        end                end
//   was handing over        next       next               next
//   had not served yet¹     end        give up            give up
//   started, or served      end        end as lost        again
//
// ¹ the first one of the mount: nobody has seen the mount, and the caller is told why there is
// none. "again" comes at once, unless daemons end as soon as they serve, or before: RestartPauses.
#pragma once

#include <chrono>
#include <optional>

namespace tusfs {

enum class DaemonPhase {
  kWaiting,   ///< there is no daemon; one is started when it is time
  kStarting,  ///< a daemon is on its way; it is waited for with patience
  kServing,
  kLeaving,  ///< the daemon hands over; it is waited for with patience
  kEnding,   ///< the daemon was told to end, and the mount ends with it
};

enum class AfterEnd {
  kEndMount,
  kEndMountAsLost,  ///< with status 1, and a word to whoever uses it
  kGiveUp,          ///< there never was a mount: with the daemon's own status, or 1
  kNext,            ///< the next one was asked for: at once
  kAgain,           ///< nobody asked for this: after a pause
};

/// `status`: of wait(2), of a daemon that was in `phase`. `established`: the mount has been served.
[[nodiscard]] AfterEnd WhatFollows(DaemonPhase phase, bool established, int status);

/// The next start looks at the catalog before it believes it.
[[nodiscard]] bool LeavesCatalogInDoubt(int status);

/// From so many failures on the pause does not get longer.
constexpr int kMostPauses = 10;
/// The pause after the failure of this number, from 1 on: 100 ms, doubling to 30 s.
[[nodiscard]] std::chrono::milliseconds PauseAfter(int failures);

/// How long to wait for, and between, daemons that do not last.
class RestartPauses {
 public:
  /// A daemon has ended that nobody told to, after it had served for so long; none: it had not come
  /// to serving. The pause until the next one: 0 for the first three in a row that did not last 250
  /// ms, then 100 ms, doubling to 30 s.
  [[nodiscard]] std::chrono::milliseconds After(std::optional<std::chrono::milliseconds> served);

  /// How long the next one may take until it serves: a minute, doubled for each in a row that did
  /// not last, for it may be the disk that is slow; 64 minutes at most.
  [[nodiscard]] std::chrono::seconds StartPatience() const;

  /// Somebody has asked for another one: what was is forgotten.
  void Forget() { quick_ends_ = 0; }

 private:
  int quick_ends_ = 0;  ///< in a row
};

}  // namespace tusfs
