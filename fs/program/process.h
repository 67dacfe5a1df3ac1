// The process around a mount: what it says, background, state directory, log.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/file.h"
#include "base/logger.h"
#include "base/private_directory.h"

namespace tusfs {

/// One line on standard error, for the person who started it.
void Complain(std::string const& sentence);

/// Leaves the foreground: returns in a child whose Ready ends the parent with status 0. Where the
/// child ends without it, the parent ends with the child's status, at least 1.
class Background {
 public:
  /// Forks; call it before any thread is made. Only the child returns.
  [[nodiscard]] static Result<Background> Enter();
  /// The mount is live: lets the parent go, and the terminal too.
  void Ready();

 private:
  explicit Background(UniqueFd pipe) : pipe_(std::move(pipe)) {}
  UniqueFd pipe_;
};

/// A session of its own, standard streams to /dev/null and the directory to /: a daemon keeps no
/// terminal and no directory busy. Its own paths are absolute.
void LeaveTerminal();

/// The directory's lock, for as long as the descriptor is open. Waits a few seconds for a daemon
/// that is just ending. Errors: EBUSY with a sentence.
[[nodiscard]] Result<UniqueFd> LockStateDirectory(PrivateDirectory const& directory);

/// Says in the lock that its owner is ending: the next one waits for it longer.
void MarkEnding(UniqueFd const& lock);

/// $XDG_STATE_HOME/tusfs/<mount>, or /var/lib/tusfs/<mount> for root. Errors: a sentence.
[[nodiscard]] Result<std::filesystem::path> DefaultStateDirectory(std::string const& mountpoint);

/// stderr in the foreground, the journal under systemd, syslog in the background. `mount`: the
/// mount point, for the journal.
[[nodiscard]] Logger MakeLogger(LogLevel least, bool foreground, std::string const& mount);

}  // namespace tusfs
