// Files that are published only when others are on the server (`after` of a rule): who waits for
// whom.
//
// A file waits for all that match and are not uploaded yet, whatever keeps these back; never for
// itself, nor for names that are never uploaded. Of files that wait for each other in a circle the
// oldest goes first. Nothing of it is in the catalog: it is found anew after a restart.
//
// Holds is the settler's, and looks at every file that is not uploaded only where the one that it
// found last keeps the file back no more, and then once for all files that settle together. The
// others may be called on any thread; a leaf among the locks.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/glob.h"
#include "base/logger.h"
#include "base/mutex.h"
#include "catalog/records.h"
#include "catalog/store.h"
#include "uploader/publish_rules.h"

namespace tusfs {

class AfterRules {
 public:
  /// The collaborators outlive it.
  AfterRules(Store const& store, PublishRules const& rules, Logger logger)
      : store_(store), rules_(rules), logger_(std::move(logger)) {}

  /// A file that is not uploaded yet.
  struct Other {
    InodeId inode = 0;
    std::vector<std::string> names;  ///< of the path under which it will be declared
    std::vector<Glob> awaits;        ///< where nothing but others keeps it back
  };
  /// All of them at one time; nothing until somebody has to know.
  using Others = std::optional<std::vector<Other>>;

  /// Whether the file at `path`, which has settled, has to wait for another one. `others` is empty
  /// for the first of the files that settle together. Errors: the catalog's.
  [[nodiscard]] Result<bool> Holds(InodeId inode, std::string const& path, Others& others)
      EXCLUDES(mutex_);

  /// The file does not wait any more, or not for this.
  void Forget(InodeId inode) EXCLUDES(mutex_);

  /// One of those that the file waits for, as Holds found it last.
  [[nodiscard]] std::optional<InodeId> AwaitedBy(InodeId inode) const EXCLUDES(mutex_);

  /// How many wait.
  [[nodiscard]] std::size_t Count() const EXCLUDES(mutex_);

 private:
  /// Nothing where nobody waits for it. Errors: the catalog's.
  [[nodiscard]] Result<std::optional<Other>> Find(InodeId inode) const;
  [[nodiscard]] Result<std::vector<Other>> FindAll() const;
  /// Who keeps `file` back; 0: nobody.
  [[nodiscard]] InodeId Search(Other const& file, std::vector<Other> const& others) const;
  [[nodiscard]] InodeId SearchAmong(std::vector<Other const*> const& all) const;

  Store const& store_;
  PublishRules const& rules_;
  Logger const logger_;
  mutable Mutex mutex_ ACQUIRED_AFTER(lock_order::kBehindChanges)
      ACQUIRED_BEFORE(lock_order::kBehindLeaves);
  std::unordered_map<InodeId, InodeId> awaited_ GUARDED_BY(mutex_);
};

}  // namespace tusfs
