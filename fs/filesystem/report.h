// What is safe and what is not: the state of every file, as users see it (fs/README.md,
// "The life of a file").
//
// Reads the catalog and asks the uploader; changes nothing. Any thread. Of what lies beneath the
// mount it knows what it was told.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/beneath.h"
#include "base/mutex.h"
#include "catalog/store.h"
#include "filesystem/finishing.h"
#include "uploader/uploader.h"

namespace tusfs {

/// What a power cut has left of a file (Inode::IsCut), in words.
[[nodiscard]] std::string DescribeCut(Inode const& inode);

struct FileReport {
  std::string path;           ///< relative to the mount
  std::string_view state;     ///< writing settling queued uploading uploaded interrupted …
  std::uint64_t size = 0;     ///< bytes, as stat(2) says
  std::uint64_t held = 0;     ///< bytes behind them that are kept, whole or not: see DescribeCut
  std::uint64_t missing = 0;  ///< bytes that it had and that are neither
  std::uint64_t offset = 0;   ///< bytes that the server has confirmed
  std::uint64_t sending = 0;  ///< bytes behind these that are on their way to it
  FileTime expires = 0;       ///< when the server deletes what is unfinished; 0: it did not say
  bool goes_first = false;    ///< before those that do not
  bool finishes = false;      ///< will be uploaded without anybody doing anything
  std::string error;          ///< why it is stuck, or the last error; may be empty
  std::string url;            ///< of the upload: a secret, for the file's owner only
  std::string receipt;        ///< headers and body of the answer that completed it
};

struct StatusReport {
  std::map<std::string_view, std::uint64_t> files;  ///< count by state
  std::uint64_t accepted = 0;      ///< bytes of the files that are to be uploaded, lost ones too
  std::uint64_t held = 0;          ///< of these, bytes that a power cut has left in doubt
  std::uint64_t confirmed = 0;     ///< of these, bytes that the server has
  std::uint64_t sending = 0;       ///< bytes behind these that are on their way to it
  std::uint64_t sent = 0;          ///< body bytes sent since the mount was made
  std::uint64_t resent = 0;        ///< of these, bytes that were sent before
  std::uint64_t spool_used = 0;    ///< bytes of local disk
  std::uint64_t spool_limit = 0;   ///< bytes
  std::size_t waiting = 0;         ///< files whose writers wait for room
  std::uint64_t interrupted = 0;   ///< bytes here of files that are interrupted
  std::string oldest_interrupted;  ///< path of the one that is so for longest; or empty
  FileTime oldest_interrupted_at = 0;  ///< since when
  std::string
      oldest_unsent;  ///< path of what was changed longest ago and is not uploaded; or empty
  FileTime oldest_unsent_at = 0;    ///< when
  std::uint64_t dropped_files = 0;  ///< interrupted files that were given up to make room
  std::uint64_t dropped_bytes = 0;
  FilesBeneath beneath;  ///< what is not in the mount yet
  Endpoint::State server;
  std::vector<LinkReport> links;  ///< empty: there are none

  /// For how long `oldest_unsent` waits, at `now`; 0: nothing does.
  [[nodiscard]] std::chrono::seconds OldestUnsentAge(FileTime now) const;
};

class Reporter {
 public:
  /// The collaborators outlive the reporter.
  Reporter(Store const& store, Spool const& spool, Uploader const& uploader,
           Finishing const& finishing)
      : store_(store), spool_(spool), uploader_(uploader), finishing_(finishing) {}

  /// One file, by one of its names. Errors: ENOENT.
  [[nodiscard]] Result<FileReport> Describe(InodeId inode) const;

  /// What is known of the mount as a whole without looking at files.
  struct Moment {
    std::uint64_t sent = 0;  ///< as StatusReport has it
    bool reachable = false;  ///< the server
    bool paused = false;
    FilesBeneath beneath{};  ///< what is not in the mount yet

    bool operator==(Moment const&) const = default;
  };
  [[nodiscard]] Moment Now() const;
  void NoteBeneath(FilesBeneath const& beneath) EXCLUDES(mutex_);
  [[nodiscard]] Endpoint::State Server() const { return uploader_.Server(); }

  /// What is at `path`. Errors: ENOENT and the like.
  [[nodiscard]] Result<FileType> KindOf(std::string const& path) const;

  /// Calls `visit` with every file, and every empty directory, at or beneath `path` (relative to
  /// the mount, "" for all), in directory order, until it returns false: in as much memory for many
  /// files as for few, and with no look at the catalog open. Errors: ENOENT.
  using Visit = std::function<bool(FileReport const&)>;
  [[nodiscard]] Result<void> VisitAll(std::string const& path, Visit const& visit) const;
  /// The same as a list.
  [[nodiscard]] Result<std::vector<FileReport>> List(std::string const& path) const;

  /// Calls `visit` with the files at or beneath `path` that are not uploaded, likewise, in the
  /// order in which they were made. Of one file it looks at no other. Errors: ENOENT.
  using VisitFile = std::function<bool(InodeId, FileReport const&)>;
  [[nodiscard]] Result<void> VisitUnfinished(std::string const& path, VisitFile const& visit) const;
  [[nodiscard]] Result<std::vector<FileReport>> Unfinished(std::string const& path) const;

  /// What VisitUnfinished says of this one; nothing where it would not visit it.
  [[nodiscard]] Result<std::optional<FileReport>> FindUnfinished(InodeId inode,
                                                                 std::string const& path) const;

  /// Sums up what List("") would say, without making it: in as much memory for many files as for
  /// few, and without holding others up. Of files that change meanwhile it may be behind.
  [[nodiscard]] Result<StatusReport> Status() const;

 private:
  Result<void> VisitOne(Inode const& top, std::string const& path, Visit const& visit) const;
  Result<std::optional<FileReport>> FindUnfinished(View const& view, InodeId id,
                                                   std::string const& path) const;
  Result<std::uint64_t> ListSome(InodeId directory, std::string const& prefix, std::uint64_t cookie,
                                 std::vector<FileReport>& reports,
                                 std::vector<std::pair<InodeId, std::string>>& directories) const;
  /// `path`: of its first name.
  Result<FileReport> Describe(View const& view, Inode const& inode, std::string path) const;
  /// Whether a file that another one waits for goes on by itself.
  [[nodiscard]] bool WillBeUploaded(View const& view, InodeId id) const;
  void DescribeHold(View const& view, Inode const& inode, FileReport& report) const;
  Result<void> Count(View const& view, Inode const& inode, StatusReport& status) const;
  Result<FileReport> DescribeOtherName(View const& view, Inode const& inode,
                                       std::string path) const;

  [[nodiscard]] FilesBeneath NotedBeneath() const EXCLUDES(mutex_);

  Store const& store_;
  Spool const& spool_;
  Uploader const& uploader_;
  Finishing const& finishing_;
  mutable Mutex mutex_ ACQUIRED_AFTER(lock_order::kBehindChanges)
      ACQUIRED_BEFORE(lock_order::kBehindLeaves);
  FilesBeneath beneath_ GUARDED_BY(mutex_){};
};

}  // namespace tusfs
