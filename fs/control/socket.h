// The control socket: one line of JSON asks, one line answers, then the connection ends; whoever
// waits for something gets a line whenever there is news, until it is over.
//
// The daemon answers its own user and root only, and at a socket of their own others whom it lets
// in. Requests are bounded; a peer that stalls is dropped. Each connection is answered on a thread
// of its own, up to a bound, and piece by piece: a long list holds up no status, and is nowhere in
// memory as a whole.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/logger.h"
#include "base/task_pool.h"

namespace tusfs {

/// Sends `request` to the socket and returns the answer. Errors: ECONNREFUSED and ENOENT where
/// nobody listens; ECONNRESET where the answer ends early.
[[nodiscard]] Result<std::string> Ask(std::filesystem::path const& socket,
                                      std::string const& request);

/// Sends `request`, and returns the connection that is answered on. Errors: as Ask.
[[nodiscard]] Result<UniqueFd> Open(std::filesystem::path const& socket,
                                    std::string const& request);

/// Who has asked. Used on the thread that was called with it, while that call lasts.
class Peer {
 public:
  /// The connection outlives it, until it is taken.
  Peer(UniqueFd& connection, std::stop_token stop)
      : connection_(connection), stop_(std::move(stop)) {}

  /// The server ends: an answer that takes long is not wanted any more.
  [[nodiscard]] std::stop_token const& stop() const { return stop_; }

  /// Sends a piece of the line that answers; false once nobody takes it: there is no use in more.
  bool Send(std::string_view piece);

  /// The connection becomes the caller's, who answers by and by. Nothing was sent before.
  [[nodiscard]] UniqueFd Take() { return std::move(connection_); }

 private:
  UniqueFd& connection_;
  std::stop_token const stop_;
  bool is_gone_ = false;
};

/// Answers a request: by sending a line, whose end is not part of it, or by taking the connection.
using Answerer = std::function<void(std::string const& request, Peer& peer)>;

class ControlServer {
 public:
  /// Whether somebody who is connected is answered, besides this user and root; asked on the
  /// threads that answer.
  using LetsIn = std::function<bool(int connection)>;
  /// Listens on `socket`, replacing what a dead daemon left there. `answer` is called on threads of
  /// the server's, several at a time, and no more when the server has ended.
  [[nodiscard]] static Result<std::unique_ptr<ControlServer>> Start(
      std::filesystem::path const& socket, Answerer answer, Logger logger, LetsIn lets_in = {});
  ~ControlServer();

 private:
  ControlServer(std::filesystem::path socket, UniqueFd listener, UniqueFd wake, Answerer answer,
                Logger logger, LetsIn lets_in);
  void Run(std::stop_token stop);
  void Serve(UniqueFd& connection, std::stop_token const& stop) const;

  std::filesystem::path const socket_;
  UniqueFd const listener_;
  UniqueFd const wake_;  ///< an eventfd that ends Run
  Answerer const answer_;
  Logger const logger_;
  LetsIn const lets_in_;
  TaskPool connections_;
  std::jthread thread_;
};

}  // namespace tusfs
