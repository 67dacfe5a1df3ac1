// Handles: opening, closing and releasing, and what that makes of the file's state.
//
// A handle is a row of the catalog, for a successor, and an entry of OpenFiles. Both come and go
// inside one transaction, under the file's lock but for a file that is just being made, so that an
// unlink sees neither the name nor the handle, or both. None waits for the network: Open fails with
// EAGAIN where bytes are wanted that only the server has, having done nothing. What opens and what
// closes takes effect once for each request (replies.h). Any thread; no lock of its own.
#pragma once

#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "catalog/store.h"
#include "filesystem/bodies.h"
#include "filesystem/finishing.h"
#include "filesystem/open_files.h"
#include "filesystem/removal.h"
#include "filesystem/replies.h"
#include "filesystem/turns.h"
#include "filesystem/types.h"
#include "filesystem/verdicts.h"
#include "filesystem/writer_ends.h"
#include "spool/spool.h"
#include "uploader/uploader.h"

namespace tusfs {

class Handles {
 public:
  /// The collaborators outlive it.
  Handles(Store& store, Spool& spool, Uploader& uploader, Finishing& finishing,
          WriterSight const& writers, Replies const& replies, OpenFiles& open, Turns& turns,
          Removal& removal, Bodies& bodies, Clock const& clock);

  struct Created {
    Attributes attributes;
    HandleId handle = 0;
  };
  [[nodiscard]] Result<Created> Create(Caller const& caller, InodeId parent, std::string_view name,
                                       std::uint32_t mode, int flags);

  /// O_TRUNC among the flags starts a new, empty version.
  [[nodiscard]] Result<HandleId> Open(Caller const& caller, InodeId inode, int flags);

  /// A descriptor was closed; the handle may have others.
  [[nodiscard]] Result<void> Flush(Caller const& caller, HandleId handle);

  /// The last descriptor was closed. An unknown handle is success.
  [[nodiscard]] Result<void> Release(HandleId handle);

 private:
  /// What a release leaves to be told when it is committed.
  struct Released {
    OpenFiles::Left left{};
    Removal::Aftermath aftermath{};
    bool settles = false;
    std::vector<std::shared_ptr<OpenHandle>> tainted{};  ///< were open beside a bad end
  };
  using Synced = std::pair<VersionId, std::uint64_t>;

  [[nodiscard]] Result<Created> CreateFile(Caller const& caller, InodeId parent,
                                           std::string_view name, std::uint32_t mode, int flags);
  [[nodiscard]] Result<HandleId> OpenFile(Caller const& caller, InodeId inode, int flags);
  [[nodiscard]] std::shared_ptr<OpenHandle> MakeHandle(Caller const& caller, int flags) const;
  /// Opening it changes the file: the caller is the first of its writers.
  void AddOpener(OpenHandle& handle, Caller const& caller) const;
  /// Gives it a number, a row and an entry.
  [[nodiscard]] Result<HandleId> Add(Transaction& transaction, Caller const& caller,
                                     std::shared_ptr<OpenHandle> const& handle);

  [[nodiscard]] Result<HandleId> OpenEmptied(ActiveFile& file, Caller const& caller,
                                             std::shared_ptr<OpenHandle> const& handle)
      REQUIRES(file.mutex);
  [[nodiscard]] Result<HandleId> OpenAsItIs(ActiveFile& file, Caller const& caller,
                                            std::shared_ptr<OpenHandle> const& handle, Inode inode)
      REQUIRES(file.mutex);
  [[nodiscard]] Result<void> Prepare(ActiveFile& file, OpenHandle const& handle, Inode& inode)
      REQUIRES(file.mutex);

  [[nodiscard]] Result<void> Close(Caller const& caller, OpenHandle& handle);
  [[nodiscard]] Result<void> PutClosing(ActiveFile& file, Caller const& caller, OpenHandle& handle,
                                        Verdicts::Closing const& closing) REQUIRES(file.mutex);
  /// How the caller ends counts from now on. Looks at its parents, too, whose own closes may wait
  /// for the file: without its lock.
  void Watch(Caller const& caller, ActiveFile const& file, Verdicts::Closing const& closing) const;
  [[nodiscard]] Result<Released> Remove(ActiveFile& file, OpenHandle const& handle)
      REQUIRES(file.mutex);
  /// `bad_end`: of Verdicts::WhyEndedBadly.
  void EndWriting(Transaction& transaction, Handle const& record,
                  std::optional<std::string> const& bad_end, Inode& inode, Version const& version,
                  Synced const& synced_at, Released& released) const;
  /// A writer of the file has ended badly. Returns those that have it open beside that one.
  [[nodiscard]] std::vector<std::shared_ptr<OpenHandle>> Taint(Transaction& transaction,
                                                               InodeId inode) const;

  Store& store_;
  Spool& spool_;
  Uploader& uploader_;
  Finishing& finishing_;
  WriterSight const writers_;
  Replies const& replies_;
  OpenFiles& open_;
  Turns& turns_;
  Removal& removal_;
  Bodies& bodies_;
  Clock const& clock_;
  Verdicts const verdicts_;
};

}  // namespace tusfs
