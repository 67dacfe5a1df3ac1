// What Filesystem is made of, one by one: over the same catalog, spool and uploader, with a table
// of open files of their own, so that a test says what is open.
#pragma once

#include <memory>
#include <string>

#include "filesystem/bodies.h"
#include "filesystem/open_files.h"
#include "filesystem/removal.h"
#include "filesystem/rig.h"
#include "filesystem/turns.h"

namespace tusfs {

class PartsRig : public FilesystemRig {
 protected:
  /// Somebody has the file open, with its version where it has one.
  std::shared_ptr<OpenHandle> HaveOpen(InodeId inode, int flags = O_RDONLY) {
    auto handle = std::make_shared<OpenHandle>();
    auto& record = handle->record;
    record.id = ++last_handle_;
    record.inode = inode;
    record.flags = static_cast<std::uint32_t>(flags);
    record.connection = connection_;
    auto const row = Row(inode);
    handle->file = std::make_shared<ActiveFile>(
        inode, row.version == 0 ? nullptr : spool_->Find(row.version, row.size).value());
    open_.Add(handle);
    return handle;
  }

  OpenFiles open_;
  Turns waiting_{spool_->budget(), clock_, {}};
  Removal removal_{*spool_, *uploader_, *finishing_, open_, clock_, logger_};
  Bodies bodies_{*store_,  *spool_,  *uploader_, *finishing_, open_,
                 waiting_, removal_, &remote_,   clock_,      logger_};

 private:
  HandleId last_handle_ = 1'000'000;
};

}  // namespace tusfs
