// The control socket: one line of JSON asks, one line answers, then the connection ends.
//
// The daemon answers its own user and root only. Texts are bounded; a peer that stalls is dropped.
// Each connection is answered on a thread of its own, up to a bound: a long list holds up no
// status.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <thread>

#include "base/error.h"
#include "base/file.h"
#include "base/logger.h"
#include "base/task_pool.h"

namespace tusfs {

/// Sends `request` to the socket and returns the answer. Errors: ECONNREFUSED and ENOENT where
/// nobody listens.
[[nodiscard]] Result<std::string> Ask(std::filesystem::path const& socket,
                                      std::string const& request);

class ControlServer {
 public:
  /// Listens on `socket`, replacing what a dead daemon left there. `answer` is called on threads of
  /// the server's, several at a time, and no more when the server has ended.
  [[nodiscard]] static Result<std::unique_ptr<ControlServer>> Start(
      std::filesystem::path const& socket, std::function<std::string(std::string const&)> answer,
      Logger logger);
  ~ControlServer();

 private:
  ControlServer(std::filesystem::path socket, UniqueFd listener, UniqueFd wake,
                std::function<std::string(std::string const&)> answer, Logger logger);
  void Run(std::stop_token stop);
  void Serve(int connection) const;

  std::filesystem::path const socket_;
  UniqueFd const listener_;
  UniqueFd const wake_;  ///< an eventfd that ends Run
  std::function<std::string(std::string const&)> const answer_;
  Logger const logger_;
  TaskPool connections_;
  std::jthread thread_;
};

}  // namespace tusfs
