// Sends a heartbeat every so often, as a small tus upload beside the files.
//
// A thread and a connection of its own: it waits for no file, and no file waits for it. One that
// does not get through before the next is due is given up: what it said is old then.
#pragma once

#include <tusclient/client.h>
#include <tusclient/metadata.h>
#include <tusclient/transport.h>

#include <chrono>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>

#include "base/clock.h"
#include "base/error.h"
#include "base/logger.h"
#include "base/mutex.h"

namespace tusfs {

struct HeartbeatOptions {
  std::chrono::seconds interval{};
  tus::ClientOptions client{};  ///< its endpoint is where heartbeats go
  std::function<std::unique_ptr<tus::HttpTransport>()> make_transport{};
  std::function<tus::Metadata()> metadata{};  ///< of each
};

class HeartbeatSender {
 public:
  /// `make`: the text to send; called on the thread. Errors of it are told in the log. The
  /// collaborators outlive it.
  HeartbeatSender(HeartbeatOptions options, std::function<Result<std::string>()> make,
                  Logger logger);
  ~HeartbeatSender() { Stop(); }

  /// The first one goes out soon.
  void Start();
  /// Cancels what is on its way, within 100 ms.
  void Stop() EXCLUDES(mutex_);

  /// Sends one now, on the calling thread. Errors: why it did not arrive.
  [[nodiscard]] Result<void> Send(std::stop_token const& stop);

 private:
  void Run(std::stop_token const& stop) EXCLUDES(mutex_);
  void Tell(Result<void> const& sent);

  HeartbeatOptions const options_;
  std::function<Result<std::string>()> const make_;
  Logger const logger_;
  std::string told_{};  ///< the last error that is in the log; by the thread alone
  Mutex mutex_ ACQUIRED_AFTER(lock_order::kBehindLeaves);
  CondVar stopped_;
  std::jthread thread_;
};

}  // namespace tusfs
