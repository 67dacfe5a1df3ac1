// What a person decides about files, where tusfs waits for one: publish, retry, accept, discard.
//
// Each call is for the file at a path (relative to the mount), or for the files beneath a directory
// of which it can be said; the others there are left alone. It changes the catalog, wakes whoever
// has to act on it, and waits for nothing. Any thread.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "catalog/store.h"
#include "filesystem/finishing.h"
#include "filesystem/open_files.h"
#include "filesystem/shrinker.h"
#include "uploader/uploader.h"

namespace tusfs {

class Decisions {
 public:
  /// The collaborators outlive it.
  Decisions(Store& store, OpenFiles const& open, Shrinker& shrinker, Uploader& uploader,
            Finishing& finishing, Clock const& clock)
      : store_(store),
        open_(open),
        shrinker_(shrinker),
        uploader_(uploader),
        finishing_(finishing),
        clock_(clock) {}

  struct Outcome {
    std::string path;
    std::string refusal;  ///< why not, and the way out; empty where it is done
    bool is_cut = false;  ///< refused, and not for what everybody expects: said of directories too
  };
  using Outcomes = std::vector<Outcome>;

  /// What becomes of a file that a power cut has cut short (Inode::IsCut).
  enum class Rest {
    kAsk,   ///< it is refused, and the choice is said
    kTake,  ///< what the spool has of it is the file, whole or not
    kDrop,  ///< only what is known to be whole is
  };
  /// What is interrupted, or waits for somebody's word, is complete as it is. Errors of all: ENOENT
  /// and the like, where there is no such path.
  [[nodiscard]] Result<Outcomes> Publish(std::string const& path, Rest rest = Rest::kAsk);

  /// What the server refused, or what waits after errors of it, is tried at once; what may have
  /// been published is sent once more, as another upload.
  [[nodiscard]] Result<Outcomes> Retry(std::string const& path);

  /// What may have been published was.
  [[nodiscard]] Result<Outcomes> Accept(std::string const& path);

  /// What is not uploaded is given up: its names and its bytes here go. Whoever waits to write to
  /// it is told that the disk is full. Of a directory: nothing, files are named one by one.
  [[nodiscard]] Result<Outcomes> Discard(std::string const& path);

  /// A file, or all that is or will be beneath a directory, is sent before all others, also by
  /// later mounts; or in its turn again.
  [[nodiscard]] Result<Outcomes> Prioritize(std::string const& path, bool first);

 private:
  struct Decision;
  Result<Outcomes> Apply(std::string const& path, Decision const& decision);
  Result<Outcome> ApplyToFile(InodeId inode, std::string const& path, Decision const& decision);
  Result<std::vector<std::pair<InodeId, std::string>>> FilesBeneath(std::string const& path) const;

  Store& store_;
  OpenFiles const& open_;
  Shrinker& shrinker_;
  Uploader& uploader_;
  Finishing& finishing_;
  Clock const& clock_;
};

}  // namespace tusfs
