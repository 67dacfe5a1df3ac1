// The bytes of a file as a whole: a version is made, loaded, brought back, replaced, cut.
//
// Bytes go last: the version that a new one replaces is removed when that is durable. Calls with an
// ActiveFile are made under its lock, which comes before the store's; the disk may work meanwhile.
// None waits for the network: where bytes are wanted that only the server has, a call fails with
// EAGAIN, having done nothing. Any thread; no lock of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "base/clock.h"
#include "base/logger.h"
#include "catalog/store.h"
#include "catalog/version_numbers.h"
#include "filesystem/finishing.h"
#include "filesystem/open_files.h"
#include "filesystem/removal.h"
#include "filesystem/turns.h"
#include "spool/spool.h"
#include "uploader/remote_bytes.h"
#include "uploader/uploader.h"

namespace tusfs {

/// The bytes of `inode` are about to be others, before its content says so: what was decided about
/// the old ones, and what was known of them, does not hold for them. The caller puts it.
void ForgetDecisions(Inode& inode);

/// Errors: EIO with the reason where its bytes may not change.
[[nodiscard]] Result<void> CheckChangeable(View const& view, Inode const& inode);

class Bodies {
 public:
  /// The collaborators outlive it. `remote` is null where bytes that only the server has cannot be
  /// had.
  Bodies(Store& store, Spool& spool, Uploader& uploader, Finishing& finishing,
         OpenFiles const& open, Turns& turns, Removal& removal, RemoteBytes* remote,
         Clock const& clock, Logger logger);

  /// A new, empty version, which nothing refers to yet.
  [[nodiscard]] Result<std::shared_ptr<Version>> Make();
  /// Removes one that nothing durable ever referred to.
  void Discard(Version const& version);

  /// Gives `file` the version of its record. Errors: EIO where its bytes are missing.
  [[nodiscard]] Result<void> Load(ActiveFile& file, Inode const& inode) REQUIRES(file.mutex);

  /// The same for who may change it: a stub gets its bytes back first, and `inode` is what its
  /// record is then. Errors besides: EAGAIN; EIO where they cannot be had.
  [[nodiscard]] Result<void> Restore(ActiveFile& file, Inode& inode) REQUIRES(file.mutex);

  /// Reads of an open file that had no bytes here when it was opened, as pread(2) would.
  [[nodiscard]] Result<std::size_t> ReadStub(ActiveFile& file, std::uint64_t offset,
                                             std::span<std::byte> out) EXCLUDES(file.mutex);
  /// Nobody has the stub open any more.
  void CloseStub(InodeId inode);

  /// Gives `inode` the new, empty version `version`; the caller puts it, and tells the uploader of
  /// the upload that is returned.
  [[nodiscard]] Result<std::optional<Uuid>> Replace(Transaction& transaction, Inode& inode,
                                                    VersionId version);

  /// Makes the file `size` bytes long. To nothing: by a new version, so that the old bytes stay as
  /// they were sent until the change is durable. Else it has to be loaded. Errors: EIO where what
  /// was sent has to stay; of the disk.
  [[nodiscard]] Result<void> Resize(ActiveFile& file, std::uint64_t size) REQUIRES(file.mutex);

 private:
  [[nodiscard]] Result<void> BringBack(ActiveFile& file, Inode& inode) REQUIRES(file.mutex);
  [[nodiscard]] Result<void> GiveEmpty(ActiveFile& file, Inode& inode) REQUIRES(file.mutex);
  [[nodiscard]] Result<void> Empty(ActiveFile& file) REQUIRES(file.mutex);
  [[nodiscard]] Result<void> ChangeSize(ActiveFile& file, std::uint64_t size) REQUIRES(file.mutex);
  [[nodiscard]] Result<void> BeginResize(ActiveFile& file, std::uint64_t size) REQUIRES(file.mutex);
  [[nodiscard]] Result<void> Truncate(ActiveFile& file, std::uint64_t size) REQUIRES(file.mutex);
  [[nodiscard]] Result<void> EndResize(ActiveFile& file) REQUIRES(file.mutex);
  [[nodiscard]] bool HasWriters(InodeId inode) const { return open_.Count(inode).writing > 0; }

  Store& store_;
  Spool& spool_;
  Uploader& uploader_;
  Finishing& finishing_;
  OpenFiles const& open_;
  Turns& turns_;
  Removal& removal_;
  RemoteBytes* const remote_;
  Clock const& clock_;
  Logger const logger_;
  VersionNumbers numbers_;
};

}  // namespace tusfs
