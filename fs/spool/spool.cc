#include "spool/spool.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <utility>
#include <vector>

namespace tusfs {
namespace {

constexpr VersionId kVersionsPerDirectory = 4096;
constexpr rlim_t kDescriptorsLeft = 64;
constexpr std::size_t kMostWrittenBehind = 16;  // parts of files; each has a descriptor
constexpr std::size_t kLongestDescription = std::size_t{64} * 1024;

std::string Hex(std::uint64_t number) {
  char digits[17];
  std::snprintf(digits, sizeof digits, "%llx", static_cast<unsigned long long>(number));
  return digits;
}

// Bytes of disk behind a path; nothing where there is no file.
std::optional<std::uint64_t> TakenBy(std::filesystem::path const& path) {
  constexpr std::uint64_t kSector = 512;  // of st_blocks
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0) return std::nullopt;
  return static_cast<std::uint64_t>(status.st_blocks) * kSector;
}

std::optional<std::string> ReadDescription(std::filesystem::path const& path) {
  std::string text(kLongestDescription, '\0');
  auto const got = ::lgetxattr(path.c_str(), kDescriptionName, text.data(), text.size());
  if (got < 0) return std::nullopt;
  text.resize(static_cast<std::size_t>(got));
  return text;
}

/// A version's file, in the spool.
std::filesystem::path NameOf(VersionId id) {
  return std::filesystem::path(Hex(id / kVersionsPerDirectory)) / Hex(id);
}

/// Opens a version's file in the directory that was opened at the start, whatever its name leads to
/// by now; but leaves descriptors for everything else that a daemon needs: without them it could
/// not even tell who closes a file. Errors: EMFILE, and of open(2).
Result<UniqueFd> OpenVersion(UniqueFd const& spool, std::filesystem::path const& path, VersionId id,
                             int flags) {
  auto const name = NameOf(id);
  rlimit limit{};
  UniqueFd fd(::openat(spool.get(), name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd) return FailErrno(path.string());
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return fd;
  auto const left = std::min<rlim_t>(kDescriptorsLeft, limit.rlim_cur / 4);
  // The kernel gives the smallest number that is free.
  if (std::cmp_less(fd.get(), limit.rlim_cur - left)) return fd;
  if ((flags & O_CREAT) != 0) ::unlinkat(spool.get(), name.c_str(), 0);
  return Fail(EMFILE, path.string() + ": too many open files");
}

/// What the disk has free. Asked for at each write, so the disk is asked now and then: after some
/// time, and after some bytes, for a fast one takes many in that time. Bytes that are counted may
/// also have been there before.
class FreeSpace {
 public:
  explicit FreeSpace(int directory) : directory_(::fcntl(directory, F_DUPFD_CLOEXEC, 0)) {}

  /// `used`: bytes that the spool takes.
  std::uint64_t Bytes(std::uint64_t used) {
    auto const now = std::chrono::steady_clock::now();
    {
      MutexLock lock(mutex_);
      if (said_ && now - said_->when < kBelieved) {
        auto const grown = used - std::min(used, said_->used);
        auto const shrunk = said_->used - std::min(used, said_->used);
        if (std::max(grown, shrunk) < kBelievedBytes) {
          return said_->free - std::min(said_->free, grown);
        }
      }
    }
    struct statvfs status {};
    bool const is_known = ::fstatvfs(directory_.get(), &status) == 0;
    auto const free = is_known ? status.f_bavail * status.f_frsize : 0;
    MutexLock lock(mutex_);
    // What was written since `used` was counted is missing twice, rather than not at all.
    said_ = Said{now, used, free};
    return free;
  }

 private:
  static constexpr std::chrono::milliseconds kBelieved{5};
  static constexpr std::uint64_t kBelievedBytes = 1024 * 1024;
  struct Said {
    std::chrono::steady_clock::time_point when;
    std::uint64_t used;
    std::uint64_t free;
  };

  UniqueFd const directory_;
  Mutex mutex_ ACQUIRED_AFTER(lock_order::kBehindLeaves);
  std::optional<Said> said_ GUARDED_BY(mutex_);
};

}  // namespace

Spool::Spool(std::filesystem::path directory, UniqueFd fd, SpoolLimits const& limits)
    : directory_(std::move(directory)),
      fd_(std::move(fd)),
      budget_(
          std::make_shared<Budget>(limits, [free = std::make_shared<FreeSpace>(fd_.get())](
                                               std::uint64_t used) { return free->Bytes(used); })),
      closers_(std::make_shared<TaskPool>(1, std::numeric_limits<std::size_t>::max())),
      writers_(std::make_shared<TaskPool>(1, kMostWrittenBehind)) {}

Result<std::unique_ptr<Spool>> Spool::Open(std::filesystem::path const& directory,
                                           SpoolLimits const& limits) {
  auto made = MakePrivateDirectory(directory);
  if (!made) return Failure(made.error());
  auto fd = OpenFile(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!fd) return Failure(fd.error());
  return std::unique_ptr<Spool>(new Spool(directory, std::move(*fd), limits));
}

std::filesystem::path Spool::PathOf(VersionId id) const { return directory_ / NameOf(id); }

Result<std::shared_ptr<Version>> Spool::Create(VersionId id) {
  auto fd = OpenOf(id, O_RDWR | O_CREAT | O_EXCL);
  if (!fd && fd.error().code == ENOENT) {
    auto const inner = NameOf(id).parent_path();
    if (::mkdirat(fd_.get(), inner.c_str(), 0700) != 0 && errno != EEXIST) {
      return FailErrno((directory_ / inner).string());
    }
    fd = OpenOf(id, O_RDWR | O_CREAT | O_EXCL);
  }
  if (!fd) return Failure(fd.error());
  auto version = std::make_shared<Version>(
      id, std::move(*fd), Version::Body{.size = 0, .is_new = true}, budget_, closers_, writers_);
  MutexLock lock(mutex_);
  first_made_ = std::min(first_made_, id);
  Remember(version);
  return version;
}

Result<std::shared_ptr<Version>> Spool::Find(VersionId id, std::uint64_t size,
                                             std::uint64_t trimmed) {
  if (auto version = FindOpen(id)) return version;
  auto fd = OpenOf(id, O_RDWR);
  if (!fd) return Failure(fd.error());
  struct stat status {};
  if (::fstat(fd->get(), &status) != 0) return FailErrno("spool");
  auto const on_disk = static_cast<std::uint64_t>(status.st_size);
  Version::Body const body{.size = std::min(size, on_disk), .trimmed = trimmed, .counted = false};
  auto const opened =
      std::make_shared<Version>(id, std::move(*fd), body, budget_, closers_, writers_);
  MutexLock lock(mutex_);
  // Somebody else may have opened it meanwhile: there is one of it.
  if (auto const found = open_.find(id); found != open_.end()) {
    if (auto version = found->second.lock()) return version;
  }
  if (IsCounted(id)) opened->NoteCounted();
  Remember(opened);
  return opened;
}

Result<UniqueFd> Spool::OpenOf(VersionId id, int flags) {
  auto fd = OpenVersion(fd_, PathOf(id), id, flags);
  if (fd || fd.error().code != EMFILE) return fd;
  decltype(kept_) kept;  // closed behind the lock
  {
    MutexLock lock(mutex_);
    kept.swap(kept_);
    kept_order_.clear();
  }
  if (kept.empty()) return fd;
  kept.clear();
  return OpenVersion(fd_, PathOf(id), id, flags);
}

// NOLINTNEXTLINE(performance-unnecessary-value-param): it is moved
void Spool::KeepOpen(std::shared_ptr<Version> version) {
  auto const id = version->id();
  if (version->has_failed()) return LetGo(id);
  std::vector<std::shared_ptr<Version>> gone;  // closed behind the lock
  MutexLock lock(mutex_);
  auto const found = open_.find(id);
  bool const is_removed = found == open_.end() || found->second.lock() != version;
  if (is_removed || !kept_.try_emplace(id, std::move(version)).second) return;
  kept_order_.push_back(id);
  while (kept_order_.size() > kMostKept) {
    if (auto const oldest = kept_.extract(kept_order_.front())) gone.push_back(oldest.mapped());
    kept_order_.pop_front();
  }
}

void Spool::LetGo(VersionId id) {
  std::shared_ptr<Version> gone;  // closed behind the lock
  MutexLock lock(mutex_);
  if (auto const kept = kept_.extract(id)) gone = kept.mapped();
}

void Spool::Remember(std::shared_ptr<Version> const& version) {
  open_[version->id()] = version;
  // Rows of versions that nobody has open any more go when the table has doubled.
  if (open_.size() > purge_at_) {
    std::erase_if(open_, [](auto const& row) { return row.second.expired(); });
    purge_at_ = std::max(kSmallestPurge, open_.size() * 2);
  }
}

std::shared_ptr<Version> Spool::FindOpen(VersionId id) const {
  MutexLock lock(mutex_);
  auto const found = open_.find(id);
  return found == open_.end() ? nullptr : found->second.lock();
}

Result<void> Spool::Remove(VersionId id) {
  auto const path = PathOf(id);
  std::shared_ptr<Version> version;
  bool counted = false;
  {
    MutexLock lock(mutex_);
    if (auto const found = open_.find(id); found != open_.end()) version = found->second.lock();
    open_.erase(id);
    kept_.erase(id);  // `version` has it still
    counted = IsCounted(id);
    if (!counted) never_counted_.insert(id);
  }
  if (version && version.use_count() == 1) version.reset();  // it was only kept
  // What somebody has open takes its room until he lets go.
  if (version) version->NoteRemoved();
  auto const taken = counted && !version ? TakenBy(path) : std::nullopt;
  if (::unlinkat(fd_.get(), NameOf(id).c_str(), 0) != 0) {
    if (errno == ENOENT) return {};
    return FailErrno(path.string());
  }
  if (taken) budget_->Charge(-static_cast<std::int64_t>(*taken));
  return {};
}

// In order of number, so that "below" tells which are counted.
Result<void> Spool::Count(std::stop_token stop) {
  std::error_code failed;
  auto const versions = ListVersions(stop, failed);
  if (failed) return Fail(failed.value(), directory_.string() + ": " + failed.message());
  for (auto const id : versions) {
    if (stop.stop_requested()) return {};
    auto const taken = TakenBy(PathOf(id));
    MutexLock lock(mutex_);
    if (IsCounted(id) || never_counted_.contains(id)) continue;
    auto const found = open_.find(id);
    auto const version = found == open_.end() ? nullptr : found->second.lock();
    if (version) {
      version->CountIn();
    } else if (taken) {
      budget_->Charge(static_cast<std::int64_t>(*taken));
    }
    counted_below_ = id + 1;
  }
  MutexLock lock(mutex_);
  counted_below_ = std::numeric_limits<VersionId>::max();
  never_counted_.clear();
  return {};
}

// What is not ours by its name is left alone.
std::vector<VersionId> Spool::ListVersions(std::stop_token const& stop,
                                           std::error_code& failed) const {
  namespace fs = std::filesystem;
  std::vector<VersionId> versions;
  for (fs::recursive_directory_iterator at(directory_, failed), end;
       !failed && at != end && !stop.stop_requested(); at.increment(failed)) {
    std::error_code gone;  // removed meanwhile
    if (!fs::is_regular_file(at->symlink_status(gone))) continue;
    auto const name = at->path().filename().string();
    VersionId id = 0;
    auto const parsed = std::from_chars(name.data(), name.data() + name.size(), id, 16);
    if (parsed.ec != std::errc() || parsed.ptr != name.data() + name.size()) continue;
    if (at->path() == PathOf(id)) versions.push_back(id);
  }
  std::sort(versions.begin(), versions.end());
  return versions;
}

Result<void> Spool::Describe(VersionId id, Description const& description) {
  auto const text = Encode(description);
  auto const path = PathOf(id);
  if (ReadDescription(path) == text) return {};
  auto const before = TakenBy(path);
  if (::lsetxattr(path.c_str(), kDescriptionName, text.data(), text.size(), 0) != 0) {
    return FailErrno(path.string());
  }
  // It may take a block of its own.
  if (before) Recount(id, *before);
  return {};
}

void Spool::Recount(VersionId id, std::uint64_t before) {
  if (auto const version = FindOpen(id)) return version->Recount();
  auto const after = TakenBy(PathOf(id));
  MutexLock lock(mutex_);
  if (after && IsCounted(id)) budget_->Charge(static_cast<std::int64_t>(*after - before));
}

Result<std::vector<Spool::Found>> Spool::ListDescribed() const {
  std::error_code failed;
  auto const versions = ListVersions({}, failed);
  if (failed) return Fail(failed.value(), directory_.string() + ": " + failed.message());
  std::vector<Found> all;
  for (auto const id : versions) {
    auto const path = PathOf(id);
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0) continue;
    auto& found = all.emplace_back();
    found.id = id;
    found.size = static_cast<std::uint64_t>(status.st_size);
    if (auto const text = ReadDescription(path)) found.description = DecodeDescription(*text);
  }
  return all;
}

Result<UniqueFd> Spool::Scratch() const {
  auto fd = OpenFile(directory_, O_RDWR | O_TMPFILE);
  if (fd || (fd.error().code != EOPNOTSUPP && fd.error().code != EISDIR)) return fd;
  // A disk that has no nameless files.
  auto path = (directory_ / "scratch.XXXXXX").string();
  UniqueFd named(::mkostemp(path.data(), O_CLOEXEC));
  if (!named) return FailErrno(path);
  if (::unlink(path.c_str()) != 0) return FailErrno(path);
  return named;
}

void Spool::Flush() { ::syncfs(fd_.get()); }

Result<std::uint64_t> Spool::Sweep(std::function<bool(VersionId)> const& wanted,
                                   std::stop_token stop) {
  std::error_code failed;
  auto const versions = ListVersions(stop, failed);
  if (failed) return Fail(failed.value(), directory_.string() + ": " + failed.message());
  std::uint64_t removed = 0;
  for (auto const id : versions) {
    if (stop.stop_requested()) break;
    if (wanted(id)) continue;
    auto const existed = std::filesystem::exists(PathOf(id));
    if (auto gone = Remove(id); !gone) return Failure(gone.error());
    if (existed) ++removed;
  }
  return removed;
}

Result<Spool::Space> Spool::Measure() const {
  struct statvfs status {};
  if (::fstatvfs(fd_.get(), &status) != 0) return FailErrno(directory_.string());
  return Space{status.f_blocks * status.f_frsize, status.f_bavail * status.f_frsize, status.f_files,
               status.f_favail};
}

}  // namespace tusfs
