// One version of a file's bytes on local disk, shared by the writer and the uploader.
//
// Writers and the uploader meet at what was *sent*: the bytes that were ever handed to a PATCH. The
// uploader says so before it sends (Claim); a change of any of them is refused until the uploader
// has let go (Release). So a server never gets a mixture of what a file was and what it became.
// Thread-safe. A write is in the page cache when Write returns (safe from the death of the
// process), on disk after Sync. Changes wait for each other and for the disk; what only asks (size,
// prefix, modified…) waits for neither.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/block_digest.h"
#include "base/byte_ranges.h"
#include "base/error.h"
#include "base/file.h"
#include "base/ids.h"
#include "base/mutex.h"
#include "base/task_pool.h"
#include "spool/budget.h"
#include "spool/written_bytes.h"
#include "spool/written_digests.h"

namespace tusfs {

class Version {
 public:
  struct Body {
    /// May be less than what the disk has: the rest is not part of the version, and goes when it is
    /// changed.
    std::uint64_t size = 0;
    /// It was just made. Of another an earlier process may have sent anything: until KnowSent all
    /// of it counts as sent.
    bool is_new = false;
    std::uint64_t trimmed = 0;  ///< bytes from 0 on that are not here any more
    bool counted = true;        ///< the budget knows already what it takes
  };
  Version(VersionId id, UniqueFd fd, Body const& body, std::shared_ptr<Budget> budget = nullptr,
          std::shared_ptr<TaskPool> closers = nullptr, std::shared_ptr<TaskPool> writers = nullptr);
  ~Version();
  Version(Version const&) = delete;
  Version& operator=(Version const&) = delete;

  [[nodiscard]] VersionId id() const { return id_; }
  [[nodiscard]] std::uint64_t size() const EXCLUDES(mutex_);

  /// Bytes from 0 on that were written without a gap.
  [[nodiscard]] std::uint64_t prefix() const EXCLUDES(mutex_);

  /// Whether all of `range` is known to be written. What an earlier process has written is what the
  /// disk says (WrittenBytes::OnDisk). Of a finished file no more comes: whatever this says, its
  /// bytes are what they are.
  [[nodiscard]] bool IsWritten(ByteRange const& range) const EXCLUDES(mutex_);

  /// Bytes from 0 on that are not here any more.
  [[nodiscard]] std::uint64_t trimmed() const EXCLUDES(mutex_);

  /// Bytes of disk that it takes.
  [[nodiscard]] std::uint64_t taken() const EXCLUDES(mutex_);

  /// When it was changed last and the catalog does not know it yet (by the caller's clock).
  [[nodiscard]] std::optional<std::int64_t> modified() const EXCLUDES(mutex_);
  void SetModified(std::optional<std::int64_t> time) EXCLUDES(mutex_);

  /// Counts changes; two equal values have no change between them.
  [[nodiscard]] std::uint64_t changes() const EXCLUDES(mutex_);

  /// When the bytes changed last, by the wall clock of the disk. Errors: of fstat(2).
  [[nodiscard]] Result<std::int64_t> ModifiedOnDisk() const;

  struct Written {
    /// Nothing was changed: the uploader has to let go of these bytes first.
    std::optional<ByteRange> was_sent{};
    bool notify = false;  ///< a mark of NotifyAt or NotifyWhenWritten was passed
  };

  /// Writes all of `bytes` at byte `offset`. Errors: of pwrite(2), and the sticky one; EIO where
  /// bytes before it were trimmed.
  [[nodiscard]] Result<Written> Write(std::uint64_t offset, std::span<std::byte const> bytes)
      EXCLUDES(changing_, mutex_);

  /// Sets the size in bytes. Errors: of ftruncate(2).
  [[nodiscard]] Result<Written> Truncate(std::uint64_t size) EXCLUDES(changing_, mutex_);

  /// As fallocate(2) with one of the modes 0, KEEP_SIZE, PUNCH_HOLE | KEEP_SIZE, ZERO_RANGE and
  /// ZERO_RANGE | KEEP_SIZE. Errors: of fallocate(2), and the sticky one.
  [[nodiscard]] Result<Written> Allocate(int mode, std::uint64_t offset, std::uint64_t length)
      EXCLUDES(changing_, mutex_);

  /// The first byte of data (SEEK_DATA) or of a hole (SEEK_HOLE) at or behind `offset`; the end
  /// counts as a hole. Errors: ENXIO where there is none.
  [[nodiscard]] Result<std::uint64_t> Seek(std::uint64_t offset, int whence) const EXCLUDES(mutex_);

  /// Bytes below size() that nobody has written: a hole, or allocated and no more. What was trimmed
  /// was written once. Disks tell by blocks of some KiB.
  [[nodiscard]] bool HasHoles() const;

  /// Takes away what the disk has behind size(). Before the catalog says that the disk is ahead of
  /// it: who opens the version then takes its size from the disk. Does nothing the second time.
  /// Errors: of ftruncate(2).
  [[nodiscard]] Result<void> DropTail() EXCLUDES(changing_, mutex_);

  /// Takes what the disk has behind size() into the version, which is then as long as its file.
  /// Returns how long. Errors: of fstat(2).
  [[nodiscard]] Result<std::uint64_t> TakeTail() EXCLUDES(changing_, mutex_);

  /// Gives the disk back what [0, end) takes, down to whole blocks; these bytes cannot be read any
  /// more. Only after the synced commit that says so. Errors: of fallocate(2).
  [[nodiscard]] Result<void> TrimTo(std::uint64_t end) EXCLUDES(changing_, mutex_);

  /// Whether these very bytes are there already. False where they cannot be read.
  [[nodiscard]] bool Holds(std::uint64_t offset, std::span<std::byte const> bytes) const
      EXCLUDES(mutex_);

  /// Reads up to `out.size()` bytes; fewer only at the end. Errors: of pread(2); EIO for bytes that
  /// were trimmed.
  [[nodiscard]] Result<std::size_t> Read(std::uint64_t offset, std::span<std::byte> out) const;

  /// The digest of the first `length` bytes (1 to kDigestBlock) of a block. For bytes below the
  /// frontier, which nobody changes meanwhile. Reads them, unless they were written in order.
  /// Errors: ENODATA where there are fewer, and of pread(2).
  [[nodiscard]] Result<BlockDigest> DigestOf(std::uint64_t block, std::uint64_t length) const
      EXCLUDES(mutex_);

  /// Whether DigestOf has a whole block without reading it.
  [[nodiscard]] bool KnowsDigest(std::uint64_t block) const EXCLUDES(mutex_);

  /// Has the disk begin with what Sync will wait for. Of what is written in order it begins by
  /// itself, each time that a part of kWriteBehind is there.
  void BeginSync() const;

  /// Whether the disk has failed it: see Sync.
  [[nodiscard]] bool has_failed() const EXCLUDES(mutex_);

  /// Puts the bytes on disk. The first error stays: every later call returns it too, because the
  /// kernel reports a lost page once only.
  [[nodiscard]] Result<void> Sync() EXCLUDES(mutex_);

  /// Says that `range` is about to be handed to a PATCH. Waits for a change of it that is being
  /// made. Fails (false) where the version is shorter, or what was sent of it before is not known.
  [[nodiscard]] bool Claim(ByteRange const& range) EXCLUDES(mutex_);

  /// The uploader has let go of `range`: it does not count as sent any more.
  void Release(ByteRange const& range) EXCLUDES(mutex_);

  /// No byte may change any more: the request that publishes them is about to be sent. Fails
  /// (false) where the version was changed since `changes`, or is being changed.
  [[nodiscard]] bool Seal(std::uint64_t changes) EXCLUDES(mutex_);

  /// Takes a Seal back: that request was not sent.
  void Unseal() EXCLUDES(mutex_);

  /// What the catalog says was sent, for a version of an earlier process. Does nothing where it
  /// is known already.
  void KnowSent(ByteRanges sent, bool sealed) EXCLUDES(mutex_);

  /// Whether a change of `range` would have to wait for the uploader.
  [[nodiscard]] bool WasSent(ByteRange const& range) const EXCLUDES(mutex_);

  /// The uploader has let go of all: nothing counts as sent any more, and a Seal is taken back.
  void ReleaseAll() EXCLUDES(mutex_);

  /// Asks Write to say so when the prefix is at least `prefix` bytes; once, and in the place of
  /// what was asked before. Returns whether it is already.
  bool NotifyAt(std::uint64_t prefix) EXCLUDES(mutex_);

  /// Asks Write to say so when all of `range` is written; once, and beside what was asked before.
  /// Returns whether it is already.
  bool NotifyWhenWritten(ByteRange const& range) EXCLUDES(mutex_);

  /// Somebody else may have changed what its file takes.
  void Recount() EXCLUDES(mutex_);

  /// The budget is to know what it takes, from now on.
  void CountIn() EXCLUDES(mutex_);
  /// The budget knows it already.
  void NoteCounted() EXCLUDES(mutex_);

  /// Its file has no name any more: what it takes becomes free when nobody has it open.
  void NoteRemoved() EXCLUDES(mutex_);

  /// Streaming goes in multiples of this many bytes, and a fresh Version notifies when the first
  /// of them and the byte behind it are there.
  static constexpr std::uint64_t kGranule = 256 * 1024;

  /// So much of a large file lies in memory, bytes, before the disk begins with it.
  static constexpr std::uint64_t kWriteBehind = std::uint64_t{16} << 20;

 private:
  /// Whether a change of `range` has to wait for the uploader.
  [[nodiscard]] bool Sent(ByteRange const& range) const REQUIRES(mutex_) {
    return sealed_ || !sent_ || sent_->Overlaps(range);
  }

  /// Checks whether a change of `range` may be made now (nothing: it may), and begins it: until
  /// EndChange nobody claims a byte of it.
  [[nodiscard]] Result<std::optional<Written>> BeginChange(ByteRange const& range)
      REQUIRES(changing_) EXCLUDES(mutex_);
  void EndChange() REQUIRES(mutex_);
  [[nodiscard]] Result<void> CutTail() REQUIRES(changing_) EXCLUDES(mutex_);
  [[nodiscard]] Result<void> CheckNotTrimmed(std::uint64_t offset) const REQUIRES(mutex_);
  void ChargeBudget() EXCLUDES(mutex_);
  void WriteBehind(std::uint64_t end) REQUIRES(changing_);

  VersionId const id_;
  UniqueFd fd_;
  std::shared_ptr<Budget> const budget_;     ///< null: nobody counts
  std::shared_ptr<TaskPool> const closers_;  ///< null: whoever has it last closes a removed file
  std::shared_ptr<TaskPool> const writers_;  ///< null: the disk begins when it is told to
  /// Of whoever changes bytes, while the disk works.
  Mutex changing_ ACQUIRED_AFTER(lock_order::kBehindTables)
      ACQUIRED_BEFORE(lock_order::kBehindChanges);
  /// The disk does not work under it.
  mutable Mutex mutex_ ACQUIRED_AFTER(lock_order::kBehindChanges)
      ACQUIRED_BEFORE(lock_order::kBehindLeaves);
  CondVar changed_;
  std::optional<ByteRange> being_changed_ GUARDED_BY(mutex_);
  std::uint64_t size_ GUARDED_BY(mutex_);
  WrittenBytes written_ GUARDED_BY(mutex_);
  std::uint64_t changes_ GUARDED_BY(mutex_) = 0;
  bool tail_is_cut_ GUARDED_BY(changing_);            ///< the disk has nothing behind size_
  std::uint64_t begun_to_ GUARDED_BY(changing_) = 0;  ///< the disk has begun with what is before
  std::uint64_t trimmed_ GUARDED_BY(mutex_);
  std::uint64_t taken_ GUARDED_BY(mutex_) = 0;
  bool counted_ GUARDED_BY(mutex_);
  bool removed_ GUARDED_BY(mutex_) = false;
  std::optional<ByteRanges> sent_ GUARDED_BY(mutex_);  ///< nothing: not known yet
  std::optional<std::int64_t> modified_ GUARDED_BY(mutex_);
  bool sealed_ GUARDED_BY(mutex_) = false;
  std::optional<Error> failure_ GUARDED_BY(mutex_);
  WrittenDigests digests_ GUARDED_BY(mutex_);
};

}  // namespace tusfs
