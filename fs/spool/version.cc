#include "spool/version.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

namespace tusfs {
namespace {

constexpr std::uint64_t kReadAtOnce = 128 * 1024;

constexpr std::uint64_t kSector = 512;  // of st_blocks
constexpr std::uint64_t kTrimUnit = 4096;
constexpr std::uint64_t kSlowToFree = std::uint64_t{16} << 20;

std::uint64_t TakenBy(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 ? static_cast<std::uint64_t>(status.st_blocks) * kSector : 0;
}

}  // namespace

Version::Version(VersionId id, UniqueFd fd, Body const& body, std::shared_ptr<Budget> budget,
                 std::shared_ptr<TaskPool> closers, std::shared_ptr<TaskPool> writers)
    : id_(id),
      fd_(std::move(fd)),
      budget_(std::move(budget)),
      closers_(std::move(closers)),
      writers_(std::move(writers)),
      size_(body.size),
      written_(WrittenBytes::OnDisk(fd_.get(), body.trimmed, body.size), kGranule + 1),
      tail_is_cut_(body.size == 0 && body.is_new),
      trimmed_(body.trimmed),
      taken_(TakenBy(fd_.get())),
      counted_(body.counted),
      sent_(body.is_new ? std::optional<ByteRanges>(std::in_place) : std::nullopt) {}

// Whoever lets go of it last may hold anybody's lock, and the disk takes long to free much.
Version::~Version() {
  if (!removed_) return;
  auto const free = [budget = counted_ ? budget_ : nullptr, taken = taken_](UniqueFd& fd) {
    fd.Reset();
    if (budget) budget->Charge(-static_cast<std::int64_t>(taken));
  };
  if (closers_ && taken_ >= kSlowToFree) {
    closers_->Add([free, fd = std::make_shared<UniqueFd>(std::move(fd_))] { free(*fd); });
  } else {
    free(fd_);
  }
}

std::uint64_t Version::size() const {
  MutexLock lock(mutex_);
  return size_;
}

std::uint64_t Version::prefix() const {
  MutexLock lock(mutex_);
  return written_.prefix();
}

bool Version::IsWritten(ByteRange const& range) const {
  MutexLock lock(mutex_);
  return written_.Covers(range);
}

std::uint64_t Version::trimmed() const {
  MutexLock lock(mutex_);
  return trimmed_;
}

std::uint64_t Version::taken() const {
  MutexLock lock(mutex_);
  return taken_;
}

bool Version::has_failed() const {
  MutexLock lock(mutex_);
  return failure_.has_value();
}

void Version::CountIn() {
  MutexLock lock(mutex_);
  if (counted_ || removed_) return;
  counted_ = true;
  if (budget_) budget_->Charge(static_cast<std::int64_t>(taken_));
}

void Version::NoteCounted() {
  MutexLock lock(mutex_);
  counted_ = true;
}

void Version::Recount() { ChargeBudget(); }

void Version::NoteRemoved() {
  MutexLock lock(mutex_);
  removed_ = true;
}

// A write into blocks that the file has already takes nothing more, and one into a hole may not
// change its size: only the disk can say.
void Version::ChargeBudget() {
  auto const now = TakenBy(fd_.get());
  std::uint64_t more = 0;
  {
    MutexLock lock(mutex_);
    more = now - std::exchange(taken_, now);
    if (!counted_) return;
  }
  if (budget_) budget_->Charge(static_cast<std::int64_t>(more));
}

Result<void> Version::CheckNotTrimmed(std::uint64_t offset) const {
  if (offset >= trimmed_) return {};
  return Fail(EIO, "spool: its first " + std::to_string(trimmed_) +
                       " bytes were sent and are not here any more (trim=confirmed)");
}

std::uint64_t Version::changes() const {
  MutexLock lock(mutex_);
  return changes_;
}

std::optional<std::int64_t> Version::modified() const {
  MutexLock lock(mutex_);
  return modified_;
}

void Version::SetModified(std::optional<std::int64_t> time) {
  MutexLock lock(mutex_);
  modified_ = time;
}

Result<std::int64_t> Version::ModifiedOnDisk() const {
  struct stat status {};
  if (::fstat(fd_.get(), &status) != 0) return FailErrno("spool");
  return static_cast<std::int64_t>(status.st_mtim.tv_sec) * 1'000'000'000 + status.st_mtim.tv_nsec;
}

Result<std::optional<Version::Written>> Version::BeginChange(ByteRange const& range) {
  std::optional<Written> const nothing_written{std::in_place, Written{.was_sent = range}};
  {
    MutexLock lock(mutex_);
    if (Sent(range)) return nothing_written;
  }
  if (auto trimmed = CutTail(); !trimmed) return Failure(trimmed.error());
  MutexLock lock(mutex_);
  if (Sent(range)) return nothing_written;  // claimed while the disk worked
  being_changed_ = range;
  ++changes_;
  return std::optional<Written>();
}

// Counted again: who looked in between has seen neither what was nor what is.
void Version::EndChange() {
  if (!being_changed_) return;
  being_changed_.reset();
  ++changes_;
  changed_.NotifyAll();
}

Result<Version::Written> Version::Write(std::uint64_t offset, std::span<std::byte const> bytes) {
  auto const end = offset + bytes.size();
  MutexLock change(changing_);
  std::uint64_t before = 0;
  {
    MutexLock lock(mutex_);
    if (failure_) return Failure(*failure_);
    if (auto here = CheckNotTrimmed(offset); !here) return Failure(here.error());
    before = size_;
  }
  auto const begun = BeginChange({std::min(offset, before), end});  // a gap becomes zeros
  if (!begun) return Failure(begun.error());
  if (*begun) return **begun;
  auto written = WriteFully(fd_.get(), bytes, offset);
  if (!written) {
    // A part of it may lie behind the end now, and a later process may go by what is on disk.
    tail_is_cut_ = false;
    {
      MutexLock lock(mutex_);
      digests_.Changed(offset, end);
      EndChange();
    }
    static_cast<void>(CutTail());  // the next change tries again
    ChargeBudget();
    return Fail(written.error().code, "spool: " + written.error().context);
  }
  ChargeBudget();
  WriteBehind(end);
  MutexLock lock(mutex_);
  EndChange();
  digests_.Wrote(offset, bytes);
  size_ = std::max(size_, end);
  return Written{.notify = written_.Wrote({offset, end})};
}

Result<Version::Written> Version::Truncate(std::uint64_t size) {
  MutexLock change(changing_);
  std::uint64_t before = 0;
  {
    MutexLock lock(mutex_);
    if (failure_) return Failure(*failure_);
    if (size == size_) return Written{};
    if (auto here = CheckNotTrimmed(size); !here) return Failure(here.error());
    before = size_;
  }
  auto const begun = BeginChange({std::min(size, before), size < before ? kNoEnd : size});
  if (!begun) return Failure(begun.error());
  if (*begun) return **begun;
  begun_to_ = std::min(begun_to_, size);
  auto const cut = ::ftruncate(fd_.get(), static_cast<off_t>(size)) == 0
                       ? Result<void>()
                       : Result<void>(FailErrno("spool"));
  {
    MutexLock lock(mutex_);
    EndChange();
    if (!cut) return Failure(cut.error());
    digests_.Changed(std::min(size, before), std::max(size, before));
    size_ = size;
    written_.Forget({size, kNoEnd});
  }
  ChargeBudget();
  return Written{};
}

Result<Version::Written> Version::Allocate(int mode, std::uint64_t offset, std::uint64_t length) {
  MutexLock change(changing_);
  auto const end = offset + length;
  bool grows = false;
  bool zeroes = false;
  std::uint64_t before = 0;
  {
    MutexLock lock(mutex_);
    if (failure_) return Failure(*failure_);
    before = size_;
    grows = (mode & FALLOC_FL_KEEP_SIZE) == 0 && end > size_;
    zeroes = (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) != 0 && offset < size_;
    if (zeroes) {
      if (auto here = CheckNotTrimmed(offset); !here) return Failure(here.error());
    }
  }
  if (grows || zeroes) {
    auto const begun = BeginChange({zeroes ? std::min(offset, before) : before, end});
    if (!begun) return Failure(begun.error());
    if (*begun) return **begun;
    MutexLock lock(mutex_);
    if (grows) digests_.Changed(before, end);
    if (zeroes) digests_.Changed(offset, end);
  } else if (auto trimmed = CutTail(); !trimmed) {
    return Failure(trimmed.error());
  }
  auto const done =
      ::fallocate(fd_.get(), mode, static_cast<off_t>(offset), static_cast<off_t>(length)) == 0
          ? Result<void>()
          : Result<void>(FailErrno("spool"));
  {
    MutexLock lock(mutex_);
    EndChange();
    if (!done) return Failure(done.error());
    if (grows) size_ = end;
    // Zeros, but whether they are on disk is for SEEK_HOLE to say.
    if (zeroes) written_.Forget({offset, end});
  }
  ChargeBudget();
  return Written{};
}

Result<std::uint64_t> Version::Seek(std::uint64_t offset, int whence) const {
  auto const end = size();
  if (offset >= end) return Fail(ENXIO);
  // What is not here any more is no hole: whoever took it for one would copy zeros.
  auto const trimmed = this->trimmed();
  if (offset < trimmed && whence == SEEK_DATA) return offset;
  auto const from = std::max(offset, trimmed);
  if (from >= end) return end;
  auto const found = ::lseek(fd_.get(), static_cast<off_t>(from), whence);
  if (found < 0 && errno != ENXIO) return FailErrno("spool");
  auto const position = found < 0 ? end : std::min(end, static_cast<std::uint64_t>(found));
  if (position == end && whence == SEEK_DATA) return Fail(ENXIO);
  return position;
}

bool Version::HasHoles() const {
  auto const end = size();
  return end > 0 && Seek(0, SEEK_HOLE).value_or(end) < end;
}

Result<void> Version::DropTail() {
  MutexLock change(changing_);
  return CutTail();
}

// Growing must bring zeros, not what a power cut has left behind the trusted size.
Result<void> Version::CutTail() {
  if (tail_is_cut_) return {};
  auto const end = size();
  struct stat status {};
  if (::fstat(fd_.get(), &status) != 0) return FailErrno("spool");
  // Setting the size that it has would be a change by the disk's clock.
  bool const has_tail = static_cast<std::uint64_t>(status.st_size) > end;
  if (has_tail && ::ftruncate(fd_.get(), static_cast<off_t>(end)) != 0) return FailErrno("spool");
  tail_is_cut_ = true;
  ChargeBudget();
  return {};
}

Result<std::uint64_t> Version::TakeTail() {
  MutexLock change(changing_);
  MutexLock lock(mutex_);
  struct stat status {};
  if (::fstat(fd_.get(), &status) != 0) return FailErrno("spool");
  auto const end = static_cast<std::uint64_t>(status.st_size);
  if (tail_is_cut_ || end <= size_) return size_;
  ++changes_;
  digests_.Changed(size_, end);
  size_ = end;
  written_.Assign(WrittenBytes::OnDisk(fd_.get(), trimmed_, end));
  tail_is_cut_ = true;
  return size_;
}

Result<void> Version::TrimTo(std::uint64_t end) {
  MutexLock change(changing_);
  {
    MutexLock lock(mutex_);
    end = std::min(end, size_) / kTrimUnit * kTrimUnit;
    if (end <= trimmed_) return {};
    // Set first: nobody reads zeros where bytes were.
    trimmed_ = end;
  }
  if (::fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0,
                  static_cast<off_t>(end)) != 0) {
    return FailErrno("spool");
  }
  ChargeBudget();
  return {};
}

bool Version::Holds(std::uint64_t offset, std::span<std::byte const> bytes) const {
  auto const end = size();
  if (offset > end || bytes.size() > end - offset || offset < trimmed()) return false;
  std::array<std::byte, std::size_t{16} * 1024> buffer;
  while (!bytes.empty()) {
    auto const there = std::span(buffer).first(std::min(buffer.size(), bytes.size()));
    auto const got = ReadFully(fd_.get(), there, offset);
    if (!got || *got != there.size()) return false;
    if (!std::equal(there.begin(), there.end(), bytes.begin())) return false;
    bytes = bytes.subspan(there.size());
    offset += there.size();
  }
  return true;
}

Result<std::size_t> Version::Read(std::uint64_t offset, std::span<std::byte> out) const {
  auto const end = size();
  if (offset >= end) return 0;
  out = out.first(std::min<std::uint64_t>(out.size(), end - offset));
  auto got = ReadFully(fd_.get(), out, offset);
  MutexLock lock(mutex_);
  // Looked at behind the read: what was punched meanwhile may have been read as zeros.
  if (auto here = CheckNotTrimmed(offset); !here) return Failure(here.error());
  if (!got) return Fail(got.error().code, "spool: " + got.error().context);
  return got;
}

Result<BlockDigest> Version::DigestOf(std::uint64_t block, std::uint64_t length) const {
  if (length == kDigestBlock) {
    MutexLock lock(mutex_);
    if (auto const known = digests_.Find(block)) return *known;
  }
  BlockHasher hasher;
  std::vector<std::byte> buffer(std::min<std::uint64_t>(length, kReadAtOnce));
  for (std::uint64_t done = 0; done < length;) {
    auto const wanted = std::min<std::uint64_t>(buffer.size(), length - done);
    auto const part = std::span(buffer).first(static_cast<std::size_t>(wanted));
    auto const got = Read(block * kDigestBlock + done, part);
    if (!got) return Failure(got.error());
    if (*got != part.size()) return Fail(ENODATA, "spool: it ends before the end of a block");
    hasher.Update(part);
    done += part.size();
  }
  return hasher.Digest();
}

bool Version::KnowsDigest(std::uint64_t block) const {
  MutexLock lock(mutex_);
  return digests_.Find(block).has_value();
}

// On a thread of its own: whoever asks waits where the disk has more to do than it can note.
void Version::WriteBehind(std::uint64_t end) {
  if (!writers_ || end < begun_to_ + kWriteBehind) return;
  auto const fd = std::make_shared<UniqueFd>(::fcntl(fd_.get(), F_DUPFD_CLOEXEC, 0));
  if (!*fd) return;  // Sync does without
  bool const added = writers_->TryAdd([fd, begin = begun_to_, end] {
    ::sync_file_range(fd->get(), static_cast<off_t>(begin), static_cast<off_t>(end - begin),
                      SYNC_FILE_RANGE_WRITE);
  });
  if (added) begun_to_ = end;
}

void Version::BeginSync() const { ::sync_file_range(fd_.get(), 0, 0, SYNC_FILE_RANGE_WRITE); }

Result<void> Version::Sync() {
  if (::fdatasync(fd_.get()) == 0) {
    MutexLock lock(mutex_);
    if (failure_) return Failure(*failure_);
    return {};
  }
  auto const failure = FailErrno("the local disk could not store the file");
  MutexLock lock(mutex_);
  if (!failure_) failure_ = failure.value();
  return Failure(*failure_);
}

bool Version::Claim(ByteRange const& range) {
  MutexLock lock(mutex_);
  // Of a change that is being made it must see either none or all.
  while (being_changed_ && being_changed_->Overlaps(range)) changed_.Wait(mutex_);
  if (!sent_ || range.end > size_) return false;
  sent_->Add(range);
  return true;
}

void Version::Release(ByteRange const& range) {
  MutexLock lock(mutex_);
  if (sent_) sent_->Subtract(range);
}

bool Version::Seal(std::uint64_t changes) {
  MutexLock lock(mutex_);
  if (!sent_ || being_changed_ || changes_ != changes) return false;
  sealed_ = true;
  return true;
}

void Version::Unseal() {
  MutexLock lock(mutex_);
  sealed_ = false;
}

void Version::KnowSent(ByteRanges sent, bool sealed) {
  MutexLock lock(mutex_);
  if (sent_) return;
  sent_ = std::move(sent);
  sealed_ = sealed;
}

bool Version::WasSent(ByteRange const& range) const {
  MutexLock lock(mutex_);
  return Sent(range);
}

void Version::ReleaseAll() {
  MutexLock lock(mutex_);
  sent_.emplace();
  sealed_ = false;
}

bool Version::NotifyAt(std::uint64_t prefix) {
  MutexLock lock(mutex_);
  return written_.NotifyAt(prefix);
}

bool Version::NotifyWhenWritten(ByteRange const& range) {
  MutexLock lock(mutex_);
  return written_.NotifyWhen(range);
}

}  // namespace tusfs
