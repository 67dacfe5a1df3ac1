// Whether a file is finished, and so is to be published: its quiet time, what holds it besides, and
// the program that is asked.
//
// Who changes a file tells it after the catalog knows; no call but SettleDue and Stop waits for the
// disk or for a program. What is decided is in the catalog, and whoever sends is told then:
// everything that has to survive is there, and Load finds it. Any thread.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/logger.h"
#include "catalog/store.h"
#include "filesystem/finish_command.h"
#include "filesystem/settler.h"
#include "spool/spool.h"
#include "uploader/publish_rules.h"

namespace tusfs {

struct FinishingOptions {
  SettleTimes settle{};  ///< between the last close and finished
  FinishCommandOptions command{};
};

class Finishing {
 public:
  /// `nudge`: as Settler::Listeners has it. The collaborators, and what `nudge` calls, outlive it.
  Finishing(FinishingOptions options, PublishRules const& rules, Store& store, Spool& spool,
            Clock const& clock, std::function<void(InodeId)> nudge, Logger const& logger);
  ~Finishing() { Stop(); }

  /// Finds the files that the catalog knows of and starts the threads. Errors: the catalog's.
  [[nodiscard]] Result<void> Start();
  /// Finds them, and starts nothing: its turns are the caller's, with SettleDue.
  [[nodiscard]] Result<void> Load();
  /// As Settler::SettleDue. Not beside Start.
  bool SettleDue() { return settler_.SettleDue(); }
  /// Ends the threads, kills the program. Waits for what the disk is at.
  void Stop();

  /// A settling file was closed, renamed or had its attributes set: its quiet time starts over.
  void Settle(InodeId inode) { settler_.Restart(inode); }

  /// Somebody has approved a settling file: its quiet time is over.
  void SettleNow(InodeId inode) { settler_.Hurry(inode); }

  [[nodiscard]] PublishRules const& rules() const { return rules_; }
  [[nodiscard]] SettleTimes const& times() const { return times_; }
  /// As Settler::AwaitedBy.
  [[nodiscard]] std::optional<InodeId> AwaitedBy(InodeId inode) const {
    return settler_.AwaitedBy(inode);
  }
  /// What the finish command said last about a file that waits for it; nothing where it was not run
  /// for it yet.
  [[nodiscard]] std::optional<std::string> CommandAnswer(InodeId inode) const {
    return command_.LastAnswer(inode);
  }

 private:
  PublishRules const& rules_;
  SettleTimes const times_;
  Store const& store_;
  // Each calls the other.
  Settler settler_;
  FinishCommand command_;
};

}  // namespace tusfs
