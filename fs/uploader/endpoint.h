// What is known of the server as a whole: whether it answers, what it can do, how much it takes.
//
// One object, shared by the transfer threads and by whoever reports. Thread-safe; only AwaitAnswer
// blocks.
// An outage (no connection, or an answer that is not a tus server's) closes the endpoint for all
// uploads; one thread at a time then asks it with OPTIONS, with backoff, until it is back.
#pragma once

#include <tusclient/client.h>
#include <tusclient/retry_policy.h>
#include <tusclient/server_profile.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/logger.h"
#include "base/mutex.h"

namespace tusfs {

struct EndpointState {
  bool answered = false;   ///< whether the first question has been answered or has failed
  bool reachable = false;  ///< as a tus server
  FileTime since = 0;      ///< of the last change of `reachable`
  SteadyTime changed;      ///< the same, by the other clock
  std::string error;       ///< what was seen, where it is not reachable
  std::string no_parts{};  ///< why files are not sent in parts any more, or empty
};

struct EndpointOptions {
  std::string url{};   ///< without secrets, for the log
  std::string link{};  ///< of links.h, which says what is of the server; empty: there are none
  tus::ChunkRules chunks{};  ///< of PATCH bodies
  bool defer_length = true;  ///< whether the server may be asked for it at all
  tus::RetryPolicy retry{};
  /// The state is another one; called with the endpoint's lock held: it notes that and returns.
  std::function<void(EndpointState const&)> on_change{};
  /// Whether an upload may find out what is there, where OPTIONS does not say; called likewise.
  /// Empty: always.
  std::function<bool()> may_try{};
};

class Endpoint {
 public:
  /// `clock` outlives the endpoint.
  Endpoint(EndpointOptions options, std::function<double()> random, Clock const& clock,
           Logger logger);

  /// kTry: OPTIONS says nothing about this server, so that one upload has to find out.
  enum class Gate { kOpen, kProbe, kTry, kWait };
  struct Admission {
    Gate gate = Gate::kOpen;
    SteadyTime until;  ///< of kWait: when to ask again
  };
  /// What the calling transfer thread may do now. After kProbe it must call Probed, after
  /// kTry Tried.
  [[nodiscard]] Admission Enter() EXCLUDES(mutex_);
  void Probed(tus::Result<tus::ServerInfo> const& answer) EXCLUDES(mutex_);
  void Tried() EXCLUDES(mutex_);
  /// The way there is another one: it is asked at once.
  void AskAnew() EXCLUDES(mutex_);

  /// The server did what it was asked to.
  void Succeeded() EXCLUDES(mutex_);
  /// An outage, or credentials that it does not take.
  void Failed(tus::Error const& error) EXCLUDES(mutex_);
  /// Trouble of one upload, which is the endpoint's where many have it and none succeeds.
  void Doubted(tus::Error const& error) EXCLUDES(mutex_);

  using State = EndpointState;
  [[nodiscard]] State state() const EXCLUDES(mutex_);
  /// Waits until the server was asked once, or `deadline`.
  [[nodiscard]] State AwaitAnswer(SteadyTime deadline) const EXCLUDES(mutex_);

  /// What it can do, and how large bodies may be.
  [[nodiscard]] tus::ServerProfile& profile() { return profile_; }
  [[nodiscard]] tus::ServerProfile const& profile() const { return profile_; }

  /// Whether uploads may be created before their length is known.
  [[nodiscard]] bool MayDefer() const { return options_.defer_length && profile_.MayDefer(); }
  /// Whether uploads may be joined of parts.
  [[nodiscard]] bool MayJoin() const EXCLUDES(mutex_);
  /// They may not any more, for as long as the process lives: what was seen of it.
  void LearnNoJoin(std::string const& why) EXCLUDES(mutex_);
  /// It has refused to join the parts of a file, which may be that file's fault: not of two in a
  /// row.
  void JoinRefused(std::string const& why) EXCLUDES(mutex_);
  void JoinWorked() { refused_joins_ = 0; }
  /// Such a creation was refused.
  void LearnNoDefer();
  /// A body of `length` bytes was too large (413). Returns whether a smaller one may be tried.
  bool LearnTooLarge(std::uint64_t length);
  /// A body with a checksum was refused. Returns whether one without may be tried.
  bool LearnNoChecksum();

 private:
  void Close(tus::Error const& error) REQUIRES(mutex_);
  void Open() REQUIRES(mutex_);
  void Announce() REQUIRES(mutex_);
  void SayOpen() REQUIRES(mutex_);
  void SayClosed(tus::Error const& error) REQUIRES(mutex_);

  EndpointOptions const options_;
  std::function<double()> const random_;
  Clock const& clock_;
  Logger const logger_;
  tus::ServerProfile profile_;
  mutable Mutex mutex_ ACQUIRED_AFTER(lock_order::kBehindChanges)
      ACQUIRED_BEFORE(lock_order::kBehindLeaves);
  mutable CondVar answered_;
  State state_ GUARDED_BY(mutex_);
  std::atomic<int> refused_joins_ = 0;       ///< in a row
  bool probing_ GUARDED_BY(mutex_) = false;  ///< somebody asks, or tries
  bool trying_ GUARDED_BY(mutex_) = false;
  bool try_next_ GUARDED_BY(mutex_) =
      false;                             ///< OPTIONS was answered, and not as a tus server does
  int doubts_ GUARDED_BY(mutex_) = 0;    ///< in a row, until something succeeded
  int failures_ GUARDED_BY(mutex_) = 0;  ///< in a row, until something succeeded
  SteadyTime next_probe_ GUARDED_BY(mutex_);
};

}  // namespace tusfs
