#include "control/rescue.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/file.h"
#include "proof/ledger_files.h"
#include "spool/spool.h"

namespace tusfs {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPiece = std::size_t{1} << 20;
constexpr std::size_t kBlock = 4096;  ///< what a disk reads or fails to read at once
constexpr std::chrono::seconds kLockPatience{3};
constexpr std::chrono::milliseconds kLockInterval{20};

std::string StateOf(Spool::Found const& found) {
  if (!found.description) return "unknown";
  switch (found.description->state) {
    case Description::State::kUploaded:
      return "uploaded";
    case Description::State::kFinished:
      return "finished";
    case Description::State::kUnfinished:
      break;
  }
  return "unfinished";
}

Failure InUse(fs::path const& state_dir) {
  return Fail(EBUSY, "a tusfs is using '" + state_dir.string() +
                         "': copy the files out of its mount, or unmount it");
}

/// No daemon may change the spool meanwhile. A read-only disk has nobody who could.
Result<UniqueFd> LockOut(fs::path const& state_dir) {
  auto lock = OpenFile(state_dir / "lock", O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!lock && lock.error().code == ENOENT) return UniqueFd();
  if (!lock) return lock;
  // One that was just killed may be on its way out; flock(2) has no time limit of its own.
  auto const until = std::chrono::steady_clock::now() + kLockPatience;
  while (::flock(lock->get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return FailErrno((state_dir / "lock").string());
    if (std::chrono::steady_clock::now() > until) return InUse(state_dir);
    std::this_thread::sleep_for(kLockInterval);
  }
  return lock;
}

Result<UniqueFd> MakeEmpty(fs::path const& directory) {
  if (auto made = MakePrivateDirectory(directory); !made) return Failure(made.error());
  auto opened = OpenFile(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (!opened) return opened;
  std::error_code failed;
  bool const is_empty = fs::is_empty(directory, failed);
  if (failed) return Fail(failed.value(), directory.string() + ": " + failed.message());
  if (is_empty) return opened;
  return Fail(ENOTEMPTY, "'" + directory.string() + "' is not empty: name a new directory");
}

class Rescuer {
 public:
  /// `out`: the directory `out_dir`.
  Rescuer(Spool const& spool, UniqueFd const& out, fs::path const& out_dir)
      : spool_(spool), out_(out), out_dir_(out_dir) {}

  Result<RescuedFile> Copy(Spool::Found const& found) {
    RescuedFile file{.path = "", .state = StateOf(found), .size = 0, .problem = ""};
    auto out = Place(found, file.path);
    if (!out) return Failure(out.error());
    auto const source = OpenFile(spool_.PathOf(found.id), O_RDONLY | O_NOFOLLOW);
    if (!source) {
      file.problem = source.error().context;
      return file;
    }
    auto const unreadable = CopyBytes(source->get(), out->get(), found.size);
    if (!unreadable) {
      return Fail(unreadable.error().code, file.path + ": " + unreadable.error().context);
    }
    file.size = found.size;
    if (*unreadable > 0) {
      file.problem = std::to_string(*unreadable) + " bytes of it cannot be read, and are zeros";
    }
    if (found.description && found.description->trimmed > 0 && file.problem.empty()) {
      file.problem = "its first " + std::to_string(found.description->trimmed) +
                     " bytes were let go of here and are only on the server";
    }
    if (found.description) Dress(out->get(), *found.description);
    return file;
  }

  /// Its files as they are, damaged or not. False: there is none. Errors: of reading, and of
  /// writing.
  [[nodiscard]] Result<bool> CopyLedger(fs::path const& ledger) const {
    std::error_code failed;
    if (!fs::is_directory(ledger, failed)) return false;
    for (fs::directory_iterator at(ledger, failed), end; !failed && at != end;
         at.increment(failed)) {
      auto const source = OpenFile(at->path(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
      if (!source) return Failure(source.error());
      struct stat status {};
      if (::fstat(source->get(), &status) != 0) return FailErrno(at->path().string());
      if (!S_ISREG(status.st_mode)) continue;
      auto const out =
          Make(std::string(kLostAndFound) + "/ledger/" + at->path().filename().string());
      if (!out) return Failure(out.error());
      // Bytes that cannot be read are zeros, which whoever reads it finds to be damaged.
      auto const copied =
          CopyBytes(source->get(), out->get(), static_cast<std::uint64_t>(status.st_size));
      if (!copied) return Failure(copied.error());
    }
    if (failed) return Fail(failed.value(), ledger.string() + ": " + failed.message());
    return true;
  }

 private:
  /// A new file at the path that it had, or in lost+found; which one it is.
  Result<UniqueFd> Place(Spool::Found const& found, std::string& path) const {
    if (found.description && IsPlainPath(found.description->path)) {
      path = found.description->path;
      auto made = Make(path);
      bool const is_full = !made && (made.error().code == ENOSPC || made.error().code == EROFS);
      if (made || is_full) return made;
      // Any other error may be about this name alone: it is too long here, or taken.
    }
    path = std::string(kLostAndFound) + "/" + std::to_string(found.id);
    return Make(path);
  }

  // Never through a link: it may be a directory of everybody's that the files are copied to.
  [[nodiscard]] Result<UniqueFd> Make(std::string const& path) const {
    UniqueFd inner;
    auto const at = [&] { return inner ? inner.get() : out_.get(); };
    auto const relative = fs::path(path);
    for (auto const& name : relative.parent_path()) {
      ::mkdirat(at(), name.c_str(), 0777);  // or it is there
      UniqueFd next(::openat(at(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
      if (!next) return FailErrno((out_dir_ / path).string());
      inner = std::move(next);
    }
    UniqueFd file(::openat(at(), relative.filename().c_str(),
                           O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!file) return FailErrno((out_dir_ / path).string());
    return file;
  }

  /// Copies, holes as holes; how many bytes could not be read. Errors: of writing.
  static Result<std::uint64_t> CopyBytes(int from, int to, std::uint64_t size) {
    std::vector<std::byte> piece(kPiece);
    std::uint64_t unreadable = 0;
    auto step = kPiece;
    for (off_t at = 0; std::cmp_less(at, size);) {
      // A disk that cannot say where data begins may still read it.
      auto const found = ::lseek(from, at, SEEK_DATA);
      if (found < 0 && errno == ENXIO) break;  // a hole to the end
      auto const data = static_cast<std::uint64_t>(std::max(found, at));
      auto const got = ReadFully(from, std::span(piece).first(step), data);
      if (got && *got == 0) break;
      if (!got && step > kBlock) {
        step = kBlock;  // as close to the bad ones as it gets
        continue;
      }
      if (!got) unreadable += std::min<std::uint64_t>(kBlock, size - data);
      if (got) {
        auto const written = WriteFully(to, std::span(piece).first(*got), data);
        if (!written) return Failure(written.error());
        step = kPiece;
      }
      at = static_cast<off_t>(data + (got ? *got : kBlock));
    }
    if (::ftruncate(to, static_cast<off_t>(size)) != 0) return FailErrno("size");
    return unreadable;
  }

  /// Whatever of it the disk or the user cannot have is left out: the bytes are what matters.
  static void Dress(int fd, Description const& description) {
    [[maybe_unused]] auto const owned = ::fchown(fd, description.uid, description.gid);
    [[maybe_unused]] auto const allowed = ::fchmod(fd, description.mode & 0777);
    auto const time = ToTimespec(description.modified);
    timespec const times[2] = {time, time};
    [[maybe_unused]] auto const timed = ::futimens(fd, times);
  }

  Spool const& spool_;
  UniqueFd const& out_;
  fs::path const& out_dir_;
};

}  // namespace

Result<RescueSummary> Rescue(fs::path const& state_dir, fs::path const& out_dir,
                             std::function<void(RescuedFile const&)> const& each) {
  auto const directory = state_dir / "spool";
  if (!fs::is_directory(directory)) {
    return Fail(ENOENT, "'" + state_dir.string() +
                            "' has no spool: name the directory that --state-dir gives to tusfs");
  }
  auto const lock = LockOut(state_dir);
  if (!lock) return Failure(lock.error());
  auto const spool = Spool::Open(directory);
  if (!spool) return Failure(spool.error());
  auto const all = (*spool)->ListDescribed();
  if (!all) return Failure(all.error());
  auto const out = MakeEmpty(out_dir);
  if (!out) return Failure(out.error());
  Rescuer rescuer(**spool, *out, out_dir);
  RescueSummary summary;
  // The newest first: an older body of the same file has lost its name.
  for (auto found = all->rbegin(); found != all->rend(); ++found) {
    auto const file = rescuer.Copy(*found);
    if (!file) return Failure(file.error());
    ++summary.files;
    summary.bytes += file->size;
    if (file->path.starts_with(std::string(kLostAndFound) + "/")) ++summary.nameless;
    if (!file->problem.empty()) ++summary.incomplete;
    each(*file);
  }
  auto const ledger = rescuer.CopyLedger(LedgerDirectory(state_dir));
  if (!ledger) return Failure(ledger.error());
  summary.ledger = *ledger;
  if (::syncfs(out->get()) != 0) return FailErrno(out_dir.string());
  return summary;
}

}  // namespace tusfs
