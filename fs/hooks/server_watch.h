// Tells a hook that the server has been away for so long, and that it is back. Whether the first
// was told is in the catalog: each is told once, whatever dies meanwhile.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <stop_token>
#include <thread>

#include "base/clock.h"
#include "base/logger.h"
#include "base/mutex.h"
#include "catalog/store.h"
#include "hooks/hooks.h"
#include "uploader/endpoint.h"

namespace tusfs {

class ServerWatch {
 public:
  /// `state`: what is known of the server. The collaborators outlive it.
  ServerWatch(std::chrono::milliseconds patience, std::string url,
              std::function<Endpoint::State()> state, Store& store, Hooks& hooks,
              Clock const& clock, Logger logger);
  ~ServerWatch() { Stop(); }

  /// The state may be another one. Takes one lock, a leaf; any thread.
  void Note() EXCLUDES(mutex_);

  /// Tells what is due. Returns when to look again; nothing: when it is noted.
  std::optional<SteadyTime> Look();

  /// Looks from now on, on a thread of its own.
  void Start();
  void Stop();

 private:
  void Run(std::stop_token const& stop) EXCLUDES(mutex_);

  std::chrono::milliseconds const patience_;
  std::string const url_;
  std::function<Endpoint::State()> const state_;
  Store& store_;
  Hooks& hooks_;
  Clock const& clock_;
  Logger const logger_;
  Mutex mutex_ ACQUIRED_AFTER(lock_order::kBehindLeaves);
  CondVar noted_;
  bool is_noted_ GUARDED_BY(mutex_) = false;
  std::jthread thread_;
};

}  // namespace tusfs
