#include "uploader/read_back_stream.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/text.h"
#include "catalog/namespace.h"

namespace tusfs {
namespace {

/// A reader so far ahead of the download is waited for; farther away it begins anew there.
constexpr std::uint64_t kReach = 4;  // blocks
/// Requests of one reader overtake each other by so much (the kernel reads ahead).
constexpr std::uint64_t kJitter = std::uint64_t{2} << 20;
/// So long a failure is told to who asks, before it is tried again.
constexpr std::chrono::seconds kStreamFailureLasts{1};

std::uint64_t Distance(std::uint64_t a, std::uint64_t b) { return a < b ? b - a : a - b; }

}  // namespace

ReadBackStream::ReadBackStream(Shared const& shared, Remote remote, UniqueFd scratch)
    : shared_(shared),
      remote_(std::move(remote)),
      scratch_(std::move(scratch)),
      used_(shared.clock.Steady()) {}

ReadBackStream::~ReadBackStream() { shared_.budget.Charge(-static_cast<std::int64_t>(taken_)); }

// ---- who reads

Result<std::size_t> ReadBackStream::Read(std::uint64_t offset, std::span<std::byte> out,
                                         bool& start) {
  if (out.empty() || offset >= remote_.size) return 0;
  out = out.first(
      static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), remote_.size - offset)));
  Want const want{.begin = offset, .end = offset + out.size()};
  MutexLock lock(mutex_);
  NotePosition(want);
  changed_.NotifyAll();
  if (!Missing(want)) {
    for (auto block = want.begin / kDigestBlock; block * kDigestBlock < want.end; ++block) {
      blocks_[block] = ++uses_;
    }
    if (!running_ && !failure_ && Ahead()) start = running_ = true;
    auto const got = ReadFully(scratch_.get(), out, offset);
    if (got && *got != out.size()) return Fail(EIO, "the local disk has lost what was read back");
    return got;
  }
  if (failure_) {
    if (shared_.clock.Steady() - failed_ < kStreamFailureLasts) return Failure(*failure_);
    failure_.reset();
  }
  if (std::find(wants_.begin(), wants_.end(), want) == wants_.end()) wants_.push_back(want);
  if (!running_) start = running_ = true;
  return Fail(EAGAIN);
}

void ReadBackStream::NotePosition(Want const& want) {
  used_ = shared_.clock.Steady();
  if (Distance(want.begin, expected_) > kJitter) in_order_since_ = want.begin;
  position_ = want.begin;
  expected_ = want.end;
}

// ---- what to download

/// The first block of `want` that is not here.
std::optional<std::uint64_t> ReadBackStream::Missing(Want const& want) const {
  for (auto block = want.begin / kDigestBlock; block * kDigestBlock < want.end; ++block) {
    if (!blocks_.contains(block)) return block;
  }
  return std::nullopt;
}

/// The next block for who reads in order. The longer he does, the farther ahead: bytes that nobody
/// will read cost him who jumps.
std::optional<std::uint64_t> ReadBackStream::Ahead() const {
  auto const run = position_ - std::min(position_, in_order_since_);
  auto const ahead = std::min(shared_.window / 4 * 3, std::max(2 * run, kDigestBlock / 2));
  for (auto block = position_ / kDigestBlock; block < remote_.blocks(); ++block) {
    if (block * kDigestBlock > position_ + ahead) break;
    if (!blocks_.contains(block)) return block;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> ReadBackStream::Goal() const {
  return wants_.empty() ? Ahead() : Missing(wants_.front());
}

/// Where a download has to begin; nothing: Run is over.
std::optional<std::uint64_t> ReadBackStream::NextBlock() {
  bool left = false;
  {
    MutexLock lock(mutex_);
    auto const goal = stop_.stop_requested() ? std::nullopt : Goal();
    if (goal) return goal;
    running_ = false;
    left = !wants_.empty();
    wants_.clear();
  }
  // Who waits for a stream that has ended gets another one when he asks again.
  if (left) shared_.arrived(remote_.inode);
  return std::nullopt;
}

void ReadBackStream::Complain(LogLevel level, char const* what, std::string const& error) const {
  auto const path = PathForLog(shared_.store, remote_.inode);
  shared_.logger->Tell(level, {.file = path}, "{} path=\"{}\" error=\"{}\"", what, Printable(path),
                       error);
}

void ReadBackStream::Run(tus::Client& client) {
  Patience patience(shared_.retry);
  while (auto const first = NextBlock()) {
    progress_ = false;
    auto const end = FetchBlocks(client, shared_.store, remote_, *first, *this, stop_.get_token());
    DropUnfinished();
    if (stop_.stop_requested()) continue;
    if (progress_) patience.Renew();
    if (end.own) {
      Complain(LogLevel::kError, "an uploaded file cannot be read back", Describe(*end.own));
      return End(end.own);
    }
    if (!end.server) continue;
    auto const delay = patience.Spend(*end.server, shared_.clock.Steady());
    if (!delay) {
      Complain(LogLevel::kWarn, "an uploaded file cannot be read back now",
               Describe(delay.error()));
      return End(delay.error());
    }
    shared_.logger->Debug(
        "reading an uploaded file back was interrupted inode={} again_in={}ms error=\"{}\"",
        remote_.inode, delay->count(), end.server->message);
    if (!WaitToRetry(*delay)) return End(std::nullopt);
  }
}

/// False: nobody waits any more, or is to.
bool ReadBackStream::WaitToRetry(std::chrono::milliseconds delay) {
  auto const until = shared_.clock.Steady() + delay;
  MutexLock lock(mutex_);
  while (!wants_.empty() && !stop_.stop_requested()) {
    if (shared_.clock.Steady() >= until) return true;
    changed_.WaitUntil(mutex_, until);
  }
  return false;
}

void ReadBackStream::End(std::optional<Error> const& failure) {
  bool waited = false;
  {
    MutexLock lock(mutex_);
    running_ = false;
    waited = !wants_.empty();
    if (failure) {
      failure_ = failure;
      failed_ = shared_.clock.Steady();
      wants_.clear();
    }
  }
  if (failure && waited) shared_.arrived(remote_.inode);
}

void ReadBackStream::Cancel() {
  stop_.request_stop();
  Nudge();
}

void ReadBackStream::Nudge() {
  MutexLock lock(mutex_);
  changed_.NotifyAll();
}

// ---- what arrives

bool ReadBackStream::Wants(std::uint64_t block) {
  MutexLock lock(mutex_);
  while (!stop_.stop_requested()) {
    if (auto const goal = Goal()) {
      skips_ = blocks_.contains(block);
      return block <= *goal && *goal - block <= kReach;
    }
    auto const until = used_ + shared_.idle;
    if (shared_.clock.Steady() >= until || shared_.crowded()) return false;
    changed_.WaitUntil(mutex_, until);
  }
  return false;
}

Result<void> ReadBackStream::Write(std::uint64_t offset, std::span<std::byte const> bytes) {
  if (skips_) return {};
  unfinished_ = offset / kDigestBlock;
  auto written = WriteFully(scratch_.get(), bytes, offset);
  if (!written) {
    return Fail(EIO, "no room on the local disk to read it back: " + Describe(written.error()));
  }
  return {};
}

void ReadBackStream::Arrived(std::uint64_t block) {
  progress_ = true;
  unfinished_.reset();
  bool served = false;
  {
    MutexLock lock(mutex_);
    if (skips_) return;
    blocks_[block] = ++uses_;
    MakeRoom(block);
    ChargeBudget();
    served = std::erase_if(wants_,
                           [&](Want const& want) REQUIRES(mutex_) { return !Missing(want); }) > 0;
  }
  if (served) shared_.arrived(remote_.inode);
}

void ReadBackStream::DropUnfinished() {
  if (!unfinished_) return;
  MutexLock lock(mutex_);
  Punch(*unfinished_);
  ChargeBudget();
  unfinished_.reset();
}

/// What lies before the reader, or far behind him, goes first.
void ReadBackStream::MakeRoom(std::uint64_t newest) {
  auto const first = position_ / kDigestBlock;
  auto const last = (position_ + shared_.window) / kDigestBlock;
  while (blocks_.size() > 1 && blocks_.size() * kDigestBlock > shared_.window) {
    auto victim = blocks_.end();
    auto const is_near = [&](std::uint64_t block) { return block >= first && block <= last; };
    for (auto at = blocks_.begin(); at != blocks_.end(); ++at) {
      if (at->first == newest) continue;
      bool const better =
          victim == blocks_.end() || (is_near(victim->first) && !is_near(at->first)) ||
          (is_near(victim->first) == is_near(at->first) &&
           (is_near(at->first) ? at->first > victim->first : at->second < victim->second));
      if (better) victim = at;
    }
    Punch(victim->first);
    blocks_.erase(victim);
  }
}

void ReadBackStream::Punch(std::uint64_t block) {
  // A disk that cannot give back a part of a file gives all of it back in the end.
  static_cast<void>(::fallocate(scratch_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                static_cast<off_t>(block * kDigestBlock),
                                static_cast<off_t>(kDigestBlock)));
}

void ReadBackStream::ChargeBudget() {
  constexpr std::uint64_t kSector = 512;  // of st_blocks
  struct stat status {};
  if (::fstat(scratch_.get(), &status) != 0) return;
  auto const before = std::exchange(taken_, static_cast<std::uint64_t>(status.st_blocks) * kSector);
  shared_.budget.Charge(static_cast<std::int64_t>(taken_ - before));
}

}  // namespace tusfs
