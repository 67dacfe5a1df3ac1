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
#include <cstdint>
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
#include "filesystem/changes.h"
#include "filesystem/data.h"
#include "filesystem/finishing.h"
#include "filesystem/handles.h"
#include "filesystem/names.h"
#include "filesystem/open_files.h"
#include "filesystem/removal.h"
#include "filesystem/replies.h"
#include "filesystem/report.h"
#include "filesystem/shrinker.h"
#include "filesystem/takeover.h"
#include "filesystem/turns.h"
#include "filesystem/types.h"
#include "filesystem/writer_ends.h"
#include "filesystem/xattrs.h"
#include "spool/spool.h"
#include "uploader/remote_bytes.h"
#include "uploader/uploader.h"

namespace tusfs {

class Filesystem {
 public:
  /// The collaborators outlive the filesystem, and the spool the store: bytes go when the store has
  /// committed that they may. Recover (recovery.h) comes before it.
  Filesystem(Store& store, Spool& spool, Uploader& uploader, Finishing& finishing,
             WriterSight const& writers, Clock const& clock, std::uint64_t connection,
             Logger logger, Turns::Options const& turns = {}, RemoteBytes* remote = nullptr);

  /// Goes on with the files that are open on this connection, for the successor of a daemon that
  /// was killed: as ReopenFiles (takeover.h).
  [[nodiscard]] Result<void> TakeOver() {
    return ReopenFiles(store_, spool_, open_, replies_.connection(), logger_);
  }

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

  // Attributes.
  [[nodiscard]] Result<Attributes> GetAttributes(InodeId inode) const;
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

  // Handles: as Handles (handles.h) has them.
  using Created = Handles::Created;
  [[nodiscard]] Result<Created> Create(Caller const& caller, InodeId parent, std::string_view name,
                                       std::uint32_t mode, int flags) {
    return handles_.Create(caller, parent, name, mode, flags);
  }
  [[nodiscard]] Result<HandleId> Open(Caller const& caller, InodeId inode, int flags) {
    return handles_.Open(caller, inode, flags);
  }
  [[nodiscard]] Result<void> Flush(Caller const& caller, HandleId handle) {
    return handles_.Flush(caller, handle);
  }
  [[nodiscard]] Result<void> Release(HandleId handle) { return handles_.Release(handle); }
  /// Whether somebody has the file open for writing.
  [[nodiscard]] bool HasWriters(InodeId inode) const { return open_.Count(inode).writing > 0; }

  // Bytes: as Data (data.h) has them.
  [[nodiscard]] Result<std::size_t> Read(HandleId handle, std::uint64_t offset,
                                         std::span<std::byte> out) {
    return data_.Read(handle, offset, out);
  }
  [[nodiscard]] Result<Turn> Write(Caller const& caller, HandleId handle, std::uint64_t offset,
                                   std::span<std::byte const> bytes, bool may_wait = true) {
    return data_.Write(caller, handle, offset, bytes, may_wait);
  }
  [[nodiscard]] Result<Turn> AskTurn(HandleId handle, std::uint64_t offset) {
    return data_.AskTurn(handle, offset);
  }
  [[nodiscard]] Result<void> Sync(HandleId handle) { return data_.Sync(handle); }
  [[nodiscard]] Result<void> Allocate(Caller const& caller, HandleId handle, int mode,
                                      std::uint64_t offset, std::uint64_t length) {
    return data_.Allocate(caller, handle, mode, offset, length);
  }
  [[nodiscard]] Result<std::uint64_t> Seek(HandleId handle, std::uint64_t offset, int whence) {
    return data_.Seek(handle, offset, whence);
  }

  /// What gives room back, for whoever is short of it.
  [[nodiscard]] Shrinker& shrinker() { return shrinker_; }
  [[nodiscard]] OpenFiles const& open_files() const { return open_; }
  [[nodiscard]] Budget& budget() { return spool_.budget(); }

 private:
  [[nodiscard]] Result<Attributes> ChangeAttributes(Caller const& caller, InodeId inode,
                                                    AttributeChange const& change, HandleId handle);

  Store& store_;
  Spool& spool_;
  Finishing& finishing_;
  Clock const& clock_;
  Logger const logger_;
  // Each may know those above it.
  Reporter const reporter_;
  Replies const replies_;
  AccessTimes const access_times_;
  OpenFiles open_;
  Turns turns_;
  Removal removal_;
  Bodies bodies_;
  Shrinker shrinker_;
  Names names_;
  Xattrs xattrs_;
  Changes changes_;
  Data data_;
  Handles handles_;
};

}  // namespace tusfs
