// POSIX semantics over the catalog and the spool: names, attributes, open files, who is writing.
//
// Knows nothing of FUSE; the fuse room translates. Every call may come from any thread, answers
// with a value or an errno, and never waits for the network: where bytes are wanted that only the
// server has, Read, Open and SetAttributes fail with EAGAIN, having done nothing, and are to be
// made again when RemoteBytes says so. A change is safe from the daemon's death when the call
// returns, from power loss after Sync or SyncDirectory, otherwise within 100 ms. Permission checks
// are the kernel's (default_permissions).
//
// A request that the kernel repeats to a daemon's successor takes effect once (replies.h). A read,
// a sync and a write are done again; so is a release, which is nothing for a handle that is no
// more.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/logger.h"
#include "catalog/store.h"
#include "filesystem/access_times.h"
#include "filesystem/bodies.h"
#include "filesystem/names.h"
#include "filesystem/open_files.h"
#include "filesystem/removal.h"
#include "filesystem/replies.h"
#include "filesystem/report.h"
#include "filesystem/shrinker.h"
#include "filesystem/turns.h"
#include "filesystem/types.h"
#include "filesystem/writer.h"
#include "filesystem/xattrs.h"
#include "spool/spool.h"
#include "uploader/remote_bytes.h"
#include "uploader/uploader.h"

namespace tusfs {

class Filesystem {
 public:
  /// The collaborators outlive the filesystem, and the spool the store: bytes go when the store has
  /// committed that they may. Recover (recovery.h) comes before it.
  Filesystem(Store& store, Spool& spool, Uploader& uploader, ProcessTable const& processes,
             Clock const& clock, std::uint64_t connection, Logger logger,
             Turns::Options const& turns = {}, RemoteBytes* remote = nullptr);

  /// Goes on with the files that are open on this connection, for the successor of a daemon that
  /// was killed (takeover.cc). Once, after Resume (recovery.h), before any other call and before
  /// the uploader starts, which would take an open file for as large as the catalog says. A file
  /// whose bytes are missing is logged and not open any more. Errors: of the catalog, and where
  /// there are too many files to open.
  [[nodiscard]] Result<void> TakeOver();

  // Names: as Names (names.h) has them.
  [[nodiscard]] Result<Attributes> Lookup(InodeId parent, std::string_view name) const {
    return names_.Lookup(parent, name);
  }
  [[nodiscard]] Result<Attributes> MakeDirectory(Caller const& caller, InodeId parent,
                                                 std::string_view name, std::uint32_t mode) {
    return names_.MakeDirectory(caller, parent, name, mode);
  }
  [[nodiscard]] Result<Attributes> MakeSymlink(Caller const& caller, InodeId parent,
                                               std::string_view name, std::string_view target) {
    return names_.MakeSymlink(caller, parent, name, target);
  }
  [[nodiscard]] Result<std::string> ReadSymlink(InodeId inode) const {
    return names_.ReadSymlink(inode);
  }
  [[nodiscard]] Result<Attributes> MakeNode(Caller const& caller, InodeId parent,
                                            std::string_view name, FileType type,
                                            std::uint32_t mode, std::uint64_t device) {
    return names_.MakeNode(caller, parent, name, type, mode, device);
  }
  [[nodiscard]] Result<Attributes> Link(Caller const& caller, InodeId inode, InodeId parent,
                                        std::string_view name) {
    return names_.Link(caller, inode, parent, name);
  }
  [[nodiscard]] Result<void> Unlink(Caller const& caller, InodeId parent, std::string_view name) {
    return names_.Unlink(caller, parent, name);
  }
  [[nodiscard]] Result<void> RemoveDirectory(Caller const& caller, InodeId parent,
                                             std::string_view name) {
    return names_.RemoveDirectory(caller, parent, name);
  }
  [[nodiscard]] Result<void> Rename(Caller const& caller, InodeId from_parent,
                                    std::string_view from, InodeId to_parent, std::string_view to,
                                    unsigned flags) {
    return names_.Rename(caller, from_parent, from, to_parent, to, flags);
  }
  using Listing = Names::Listing;
  [[nodiscard]] Result<void> ReadDirectory(InodeId directory, std::uint64_t cookie,
                                           Names::Visit const& visit,
                                           Listing listing = Listing::kWithAttributes) const {
    return names_.ReadDirectory(directory, cookie, visit, listing);
  }
  /// All that was done to names so far is safe from power loss.
  [[nodiscard]] Result<void> SyncDirectory() { return store_.Sync(); }

  // Attributes (attributes.cc).
  [[nodiscard]] Result<Attributes> GetAttributes(InodeId inode);
  /// `handle`: the open file through which the size is changed, or 0.
  [[nodiscard]] Result<Attributes> SetAttributes(Caller const& caller, InodeId inode,
                                                 AttributeChange const& change, HandleId handle);
  /// Of the spool, as its budget has it. Bytes that can go at once count as free.
  [[nodiscard]] Result<Spool::Space> MeasureSpace() const { return shrinker_.MeasureSpace(); }

  // Extended attributes: as Xattrs (xattrs.h) has them.
  [[nodiscard]] Result<std::string> GetXattr(Caller const& caller, InodeId inode,
                                             std::string_view name) const {
    return xattrs_.Get(caller, inode, name);
  }
  [[nodiscard]] Result<std::vector<std::string>> ListXattrs(Caller const& caller,
                                                            InodeId inode) const {
    return xattrs_.List(caller, inode);
  }
  [[nodiscard]] Result<void> SetXattr(Caller const& caller, InodeId inode, std::string_view name,
                                      std::string_view value, int flags) {
    return xattrs_.Set(caller, inode, name, value, flags);
  }
  [[nodiscard]] Result<void> RemoveXattr(Caller const& caller, InodeId inode,
                                         std::string_view name) {
    return xattrs_.Remove(caller, inode, name);
  }

  // Handles (handles.cc).
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
  /// Whether somebody has the file open for writing.
  [[nodiscard]] bool HasWriters(InodeId inode) const { return open_.Count(inode).writing > 0; }

  // Data (data.cc).
  [[nodiscard]] Result<std::size_t> Read(HandleId handle, std::uint64_t offset,
                                         std::span<std::byte> out);
  /// Writes all or fails. kWait: the caller should be answered when AskTurn says kGo. Errors:
  /// ENOSPC where there will be no room. `may_wait`: false for a write of the kernel's own, which
  /// is always kGo.
  [[nodiscard]] Result<Turn> Write(Caller const& caller, HandleId handle, std::uint64_t offset,
                                   std::span<std::byte const> bytes, bool may_wait = true);
  /// For a write at byte `offset` that waits to be answered: kGo or kWait. Errors: ENOSPC, and the
  /// write has failed.
  [[nodiscard]] Result<Turn> AskTurn(HandleId handle, std::uint64_t offset);
  [[nodiscard]] Result<void> Sync(HandleId handle);
  /// As fallocate(2): `mode` is 0, or of FALLOC_FL_KEEP_SIZE, _PUNCH_HOLE and _ZERO_RANGE. Errors:
  /// EOPNOTSUPP for another mode, or from the spool's disk.
  [[nodiscard]] Result<void> Allocate(Caller const& caller, HandleId handle, int mode,
                                      std::uint64_t offset, std::uint64_t length);
  /// As lseek(2) with SEEK_DATA or SEEK_HOLE. Errors: ENXIO behind the end.
  [[nodiscard]] Result<std::uint64_t> Seek(HandleId handle, std::uint64_t offset, int whence);

  /// What gives room back, for whoever is short of it.
  [[nodiscard]] Shrinker& shrinker() { return shrinker_; }
  [[nodiscard]] OpenFiles const& open_files() const { return open_; }
  [[nodiscard]] Budget& budget() { return spool_.budget(); }

 private:
  [[nodiscard]] Result<void> Reopen(Handle record, bool is_ahead);
  [[nodiscard]] Result<void> GiveUp(Handle const& record, std::string const& why);

  [[nodiscard]] Result<Created> CreateNew(Caller const& caller, InodeId parent,
                                          std::string_view name, std::uint32_t mode, int flags);
  [[nodiscard]] Result<HandleId> OpenFile(Caller const& caller, InodeId inode, int flags);
  [[nodiscard]] Result<void> JudgeClose(Caller const& caller, OpenHandle& handle);
  [[nodiscard]] Result<Attributes> ChangeAttributes(Caller const& caller, InodeId inode,
                                                    AttributeChange const& change, HandleId handle);

  [[nodiscard]] Result<void> DropPrivilegesOnWrite(ActiveFile& file) REQUIRES(file.mutex);

  /// `first`: the lowest byte of what is there already that will change; kNoByte for none.
  Result<void> BeginChange(ActiveFile& file, OpenHandle& handle, Caller const& caller,
                           bool is_write, std::uint64_t first) REQUIRES(file.mutex);
  static constexpr std::uint64_t kNoByte = ~std::uint64_t{0};
  Result<void> Truncate(ActiveFile& file, Caller const& caller, std::uint64_t size, HandleId handle)
      REQUIRES(file.mutex);
  Result<void> WriteBytes(ActiveFile& file, std::uint64_t offset, std::span<std::byte const> bytes)
      REQUIRES(file.mutex);
  Result<void> AllocateBytes(ActiveFile& file, int mode, std::uint64_t offset, std::uint64_t length)
      REQUIRES(file.mutex);
  void NoteRead(OpenHandle& handle, Version const& version);
  /// Of a close by the program that opened it, and that others have written for: that it was
  /// killed.
  [[nodiscard]] std::optional<Judgement> JudgeOpener(Handle const& record,
                                                     Caller const& caller) const;
  /// A writer of the file has ended badly. Returns those that have it open beside that one.
  [[nodiscard]] std::vector<std::shared_ptr<OpenHandle>> Taint(Transaction& transaction,
                                                               InodeId inode) const;
  [[nodiscard]] Judgement JudgeCopy(ActiveFile& file, Caller const& caller) const
      REQUIRES(file.mutex);
  void NoteFailedWrite(OpenHandle& handle, std::uint64_t offset, Error const& error);
  void NoteWritten(OpenHandle& handle, std::uint64_t begin, std::uint64_t end);
  void KeepHandle(Handle const& record);
  [[nodiscard]] Result<Turn> TakeTurn(ActiveFile& file, OpenHandle& handle, std::uint64_t offset)
      REQUIRES(file.mutex);
  Store& store_;
  Spool& spool_;
  Uploader& uploader_;
  ProcessTable const& processes_;
  Clock const& clock_;
  Logger const logger_;
  Reporter const reporter_;
  Replies const replies_;
  AccessTimes const access_times_;
  OpenFiles open_;
  Removal removal_;
  Turns turns_;
  Bodies bodies_;
  Shrinker shrinker_;
  Names names_;
  Xattrs xattrs_;
};

}  // namespace tusfs
