// What gives room back: bytes that the server has, names that have had their time, and files that
// somebody or a rule gives up. For the reclaimer (reclaim.h), and for what a person decides
// (decisions.h).
//
// None of it touches a file that somebody uses: whoever opens one is seen inside the transaction
// that decides (OpenFiles' lock within the store's), or sees what has gone. The kernel is not told
// of names that go: it may show what it knows of them for a minute. Any thread; no lock of its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/logger.h"
#include "catalog/store.h"
#include "filesystem/open_files.h"
#include "filesystem/removal.h"
#include "filesystem/turns.h"
#include "spool/spool.h"
#include "uploader/publish_rules.h"

namespace tusfs {

class Shrinker {
 public:
  /// The collaborators outlive it.
  Shrinker(Store& store, Spool& spool, OpenFiles const& open, Turns& turns, Removal& removal,
           PublishRules const& rules, Logger logger);

  /// Of the spool, as its budget has it. Bytes that can go at once count as free.
  [[nodiscard]] Result<Spool::Space> MeasureSpace() const;
  void SetEvictable(std::uint64_t bytes) { evictable_ = bytes; }

  /// Lets go of the bytes of an uploaded file, which stays as a stub. False where it is open, or
  /// has none, or is not uploaded.
  [[nodiscard]] Result<bool> Evict(InodeId inode);

  /// Lets go of those bytes of an unfinished file that the server has confirmed. Waits for the
  /// disk. Returns how many.
  [[nodiscard]] Result<std::uint64_t> Trim(InodeId inode);

  /// Removes the names of a file that is not open, and was uploaded before `time`. False where it
  /// is not such a file.
  [[nodiscard]] Result<bool> Expire(InodeId inode, FileTime time);

  /// Removes the names of an unfinished file; whoever waits to write to it is told that it is full.
  /// False where it is uploaded.
  [[nodiscard]] Result<bool> Discard(InodeId inode);

  /// Removes the names of an interrupted file, which counts in Totals; logged. Returns how many
  /// bytes it had; nothing where it is open, goes on, or has bytes that only the server has.
  [[nodiscard]] Result<std::optional<std::uint64_t>> DropInterrupted(InodeId inode);

  /// Ends the doubt about a file that a power cut has cut short (Inode::IsCut) and that nobody has
  /// open for writing: what lies behind its size becomes a part of it, or goes once that is
  /// durable. Changes the record in memory; for whoever puts it, inside that transaction. Returns
  /// an upload to abandon behind it. Errors: EIO where the file cannot get another upload and its
  /// own cannot become longer.
  [[nodiscard]] Result<std::optional<Uuid>> EndCut(Transaction& transaction, Inode& inode,
                                                   bool take);

  /// What will become of the unfinished files without anybody's help.
  struct Outlook {
    bool goes_on = false;     ///< bytes of some of them will go
    std::uint64_t stuck = 0;  ///< bytes of those that wait for somebody, and that nobody writes to
    struct Interrupted {
      FileTime since = 0;
      InodeId inode = 0;
    };
    std::vector<Interrupted> interrupted;  ///< the oldest first
  };
  /// `trims`: what the server has confirmed of a file that is being written may go. Ends early when
  /// it is told to stop.
  [[nodiscard]] Result<Outlook> LookAhead(bool trims, std::stop_token stop) const;

 private:
  struct Trimmed {
    VersionId version = 0;  ///< 0: nothing of it goes
    std::uint64_t size = 0;
    std::uint64_t before = 0;  ///< bytes from 0 on that went earlier
    std::uint64_t end = 0;     ///< and that have to go now
  };
  [[nodiscard]] static Result<Trimmed> NoteTrimmed(Transaction& transaction, InodeId inode);
  /// A file that waits for others by a rule (after), or one that nobody will send by himself.
  struct Link {
    std::string path;  ///< under which it will be declared
    std::vector<Glob> awaits{};
    std::uint64_t bytes = 0;
  };
  /// Where no rule says `after`, both are empty.
  struct Links {
    std::vector<Link> waiting;
    std::vector<Link> stuck;
  };
  [[nodiscard]] Result<void> AddTo(Outlook& outlook, Links& links, View const& view,
                                   Inode const& inode, bool trims) const;
  /// Of those that wait: who waits for what is stuck is stuck, too.
  static void AddWaiting(Outlook& outlook, Links links);
  /// `may_go`: looks at the file inside the transaction; false leaves it. `fate`: of what was not
  /// uploaded.
  [[nodiscard]] Result<bool> RemoveFile(
      InodeId inode, Fate fate,
      std::function<Result<bool>(Transaction&, Inode const&)> const& may_go);

  Store& store_;
  Spool& spool_;
  OpenFiles const& open_;
  Turns& turns_;
  Removal& removal_;
  PublishRules const& rules_;
  Logger const logger_;
  std::atomic<std::uint64_t> evictable_ = 0;
};

}  // namespace tusfs
