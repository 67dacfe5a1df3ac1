// What closing a file says about it: whether who wrote to it has finished it, or ended badly.
//
// Only processes that wrote have a say (tusfs-semantics(7), "WHO CLOSED", has each case). Verdicts
// are kept in the handle's record; who calls journals it. Called under the file's lock, while the
// caller is inside close(2): reads /proc and the store, changes nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>

#include "catalog/store.h"
#include "filesystem/open_files.h"
#include "filesystem/types.h"
#include "filesystem/writer.h"
#include "uploader/publish_rules.h"

namespace tusfs {

class Verdicts {
 public:
  /// The collaborators outlive it.
  Verdicts(Store const& store, ProcessTable const& processes, PublishRules const& rules)
      : store_(store), processes_(processes), rules_(rules) {}

  struct Closing {
    Handle record;             ///< the handle's, as this close leaves it
    bool has_say = false;      ///< of the caller: it changes what is known
    bool is_clean = false;     ///< all that was written through it is finished
    bool is_doubtful = false;  ///< if the caller ends well: Judgement::is_doubtful
  };
  /// Of a descriptor of `handle` that `caller` closes.
  [[nodiscard]] Closing JudgeClose(ActiveFile& file, OpenHandle const& handle,
                                   Caller const& caller) const REQUIRES(file.mutex);

  /// Of a handle that was changed and has no descriptor any more: how it ended badly, in words.
  /// Nothing where a close has said otherwise, or where those who wrote since the last one live on:
  /// some closes are not told (io_uring's own descriptors).
  [[nodiscard]] std::optional<std::string> WhyEndedBadly(OpenHandle const& handle) const;

 private:
  [[nodiscard]] bool LiveOn(std::set<std::int32_t> const& writers) const;
  /// Of a close by the program that opened it, and that others have written for: that it was
  /// killed.
  [[nodiscard]] std::optional<Judgement> JudgeOpener(Handle const& record,
                                                     Caller const& caller) const;
  [[nodiscard]] Judgement JudgeWriter(ActiveFile& file, Handle const& record, Caller const& caller,
                                      pid_t process) const REQUIRES(file.mutex);
  [[nodiscard]] Judgement JudgeCopy(ActiveFile& file, pid_t process, std::string const& name) const
      REQUIRES(file.mutex);

  Store const& store_;
  ProcessTable const& processes_;
  PublishRules const& rules_;
};

}  // namespace tusfs
