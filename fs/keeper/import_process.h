// The process that takes in what lies beneath the mount, for as long as there is something to take
// in: the keeper starts it when the mount is served, and again when it dies.
//
// Used by the keeper, from its one thread.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "base/beneath.h"
#include "base/error.h"
#include "base/file.h"
#include "base/logger.h"
#include "keeper/link.h"
#include "keeper/program.h"

namespace tusfs {

/// What that process was started with.
struct ImportLine {
  Link link;         ///< to the keeper: Word::kBeneath, then Word::kStatus, how far it is
  UniqueFd beneath;  ///< the directory beneath the mount

  /// Nothing where this process was not started for that.
  [[nodiscard]] static std::optional<ImportLine> FromEnvironment();
};

class ImportProcess {
 public:
  using Clock = std::chrono::steady_clock;

  /// `beneath`: the directory, or none, and there is nothing to do.
  ImportProcess(UniqueFd beneath, Logger logger)
      : beneath_(std::move(beneath)), logger_(std::move(logger)) {}

  [[nodiscard]] bool IsWanted() const { return static_cast<bool>(beneath_); }
  [[nodiscard]] bool IsRunning() const { return pid_ != 0; }
  [[nodiscard]] UniqueFd const& beneath() const { return beneath_; }
  /// What is not in the mount yet. While it has something to do, that is one file at least.
  [[nodiscard]] FilesBeneath Counts() const;

  /// The mount is served: now there is somewhere to take it to.
  void OnServing();
  /// When Start is due; nothing: not by itself.
  [[nodiscard]] std::optional<Clock::time_point> start_at() const { return start_at_; }
  void Start(Program const& program, std::vector<std::string> const& arguments);

  /// Of its line, -1: there is none.
  [[nodiscard]] int fd() const { return link_ ? link_->fd() : -1; }
  /// Waits for what it has to tell: how far it is, for a person. Nothing where it tells of numbers
  /// (see beneath), or its line has ended.
  [[nodiscard]] std::optional<std::string> Receive();

  /// Whether it has just ended. Where it has done all there is to do, nothing is wanted any more;
  /// else it is started again, later and later.
  [[nodiscard]] bool HasEnded();

  /// Kills it, and starts no other. What it was at goes on with the next mount.
  void End();

 private:
  UniqueFd beneath_;
  Logger const logger_;
  pid_t pid_ = 0;
  std::optional<Link> link_;
  FilesBeneath counts_{};  ///< as it has told them
  std::optional<Clock::time_point> start_at_;
  int failures_ = 0;  ///< in a row
};

}  // namespace tusfs
