// How names go, and a file with its last one: its upload loses its owner, its bytes go when that is
// durable, and the uploader is told after the commit.
//
// A file that is open lives on without a name until its last handle is released; nothing of it will
// be published. Calls with a Transaction are made inside it, so that the handles that are counted
// there are those of that moment: OpenFiles' lock is taken within the store's. The others are made
// with no lock of the store's held. Any thread; no lock of its own.
#pragma once

#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/logger.h"
#include "catalog/proofs.h"
#include "catalog/store.h"
#include "filesystem/finishing.h"
#include "filesystem/open_files.h"
#include "spool/spool.h"
#include "uploader/uploader.h"

namespace tusfs {

class Removal {
 public:
  /// The collaborators outlive it, and the spool the store, whose last commit removes bytes.
  Removal(Spool& spool, Uploader& uploader, Finishing& finishing, OpenFiles& open,
          Clock const& clock, Logger logger)
      : spool_(spool),
        uploader_(uploader),
        finishing_(finishing),
        open_(open),
        clock_(clock),
        logger_(std::move(logger)) {}

  /// What a transaction leaves to be told when it is committed.
  struct Aftermath {
    InodeId removed = 0;
    std::optional<Uuid> ownerless{};  ///< the upload that it had
    InodeId renamed = 0;              ///< has lost its first name, and goes by another one
  };

  /// Takes one name of `inode` away, and puts or deletes the inode; the parent is the caller's to
  /// put. A file that loses its last name and was not uploaded has `fate` for its proof
  /// (catalog/proofs.h).
  [[nodiscard]] Result<Aftermath> RemoveName(Transaction& transaction, Inode& parent,
                                             std::string_view name, Entry const& entry,
                                             Inode& inode, Fate fate = Fate::kRemoved);

  /// Takes all names of a file away.
  [[nodiscard]] Result<Aftermath> RemoveNames(Transaction& transaction, Inode inode, Fate fate);

  /// Deletes an inode without names or handles.
  [[nodiscard]] Result<Aftermath> DropInode(Transaction& transaction, Inode& inode);

  /// For a version that nothing refers to once the transaction is durable; 0 is none.
  void RemoveBytesWhenDurable(Transaction& transaction, VersionId version);

  /// Another name is the first one of `inode`, which the caller puts: whoever writes to it from now
  /// on says so to the catalog first.
  void NoteRename(Inode& inode);

  /// After the commit.
  void Tell(Aftermath const& aftermath);
  /// After the commit that renamed it: other rules may be right for it now.
  void TellRenamed(InodeId inode);

 private:
  [[nodiscard]] Result<void> NoteFate(Transaction& transaction, Inode const& inode,
                                      Fate fate) const;

  Spool& spool_;
  Uploader& uploader_;
  Finishing& finishing_;
  OpenFiles& open_;
  Clock const& clock_;
  Logger const logger_;
};

}  // namespace tusfs
