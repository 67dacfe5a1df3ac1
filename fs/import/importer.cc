#include "import/importer.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <memory>
#include <vector>

#include "base/text.h"
#include "import/copy_file.h"
#include "import/marks.h"
#include "import/original.h"

namespace tusfs {
namespace {

constexpr int kMostNumbers = 1000;

// Neither waited for nor tried again: a person has to do something.
constexpr int kLeftForGood = EOPNOTSUPP;

Result<UniqueFd> OpenDirectory(int in, std::string const& name) {
  UniqueFd fd(::openat(in, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd) return FailErrno("it cannot be opened");
  return fd;
}

// All at once: what is read while names go might be left out.
Result<std::vector<std::string>> NamesIn(int directory) {
  auto own = OpenDirectory(directory, ".");
  if (!own) return Failure(own.error());
  std::unique_ptr<DIR, int (*)(DIR*)> const stream(::fdopendir(own->get()), ::closedir);
  if (!stream) return FailErrno("it cannot be listed");
  [[maybe_unused]] auto const given = own->Release();
  std::vector<std::string> names;
  errno = 0;
  while (auto const* const entry = ::readdir(stream.get())) {
    std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(std::move(name));
    errno = 0;
  }
  if (errno != 0) return FailErrno("it cannot be listed");
  return names;
}

Result<void> SyncNames(int directory) {
  if (::fsync(directory) != 0) return FailErrno("its directory cannot be brought to the disk");
  return {};
}

// The copy is on disk, and has its name there.
Result<void> RemoveOriginal(int directory, std::string const& name, int flags) {
  if (::unlinkat(directory, name.c_str(), flags) != 0 && errno != ENOENT) {
    return FailErrno("it is taken in, and cannot be removed");
  }
  return SyncNames(directory);
}

Result<void> Rename(int directory, std::string const& from, std::string const& to) {
  if (::renameat2(directory, from.c_str(), directory, to.c_str(), RENAME_NOREPLACE) != 0) {
    return FailErrno("its copy cannot be given its name");
  }
  return SyncNames(directory);
}

struct Chosen {
  std::string name;
  bool is_there = false;  ///< with the mark of this original, or as good as it
};

/// The first of the names that is free, or that `is_good`.
template <typename IsGood>
Result<Chosen> ChooseName(int directory, std::string const& name, IsGood const& is_good) {
  for (int number = 0; number < kMostNumbers; ++number) {
    auto const candidate = NumberedName(name, number);
    struct stat status {};
    if (::fstatat(directory, candidate.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) return Chosen{candidate, false};
      return FailErrno("the mount cannot be asked for its name");
    }
    if (is_good(candidate, status)) return Chosen{candidate, true};
  }
  return Fail(kLeftForGood, "the mount has all the names that it could get");
}

// Which mount something is seen through: filesystems of several layers have several devices.
std::uint64_t MountOf(int directory, std::string const& name) {
  struct statx status {};
  constexpr int kFlags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH;
  if (::statx(directory, name.c_str(), kFlags, STATX_MNT_ID, &status) != 0) return 0;
  return status.stx_mnt_id;
}

std::string TargetOf(int directory, std::string const& name) {
  std::array<char, PATH_MAX> target{};
  auto const size = ::readlinkat(directory, name.c_str(), target.data(), target.size());
  return size < 0 ? std::string() : std::string(target.data(), static_cast<std::size_t>(size));
}

}  // namespace

std::string Describe(ImportSummary const& summary) {
  auto text =
      Counted(summary.files, "file (", "files (") + std::to_string(summary.bytes) + " B) taken in";
  if (summary.waiting > 0) {
    text += ", " + Counted(summary.waiting, "waits for whoever writes to it",
                           "wait for whoever writes to them");
  }
  if (summary.failed > 0) {
    text += ", " + Counted(summary.failed, "could not be and is tried again",
                           "could not be and are tried again");
  }
  if (summary.left > 0) {
    text += ", " + Counted(summary.left, "is left beneath the mount", "are left beneath the mount");
  }
  return summary.why.empty() ? text : text + ": " + Printable(summary.why);
}

Importer::Importer(int beneath, int mount, Logger logger,
                   std::function<void(ImportSummary const&)> tell,
                   std::function<std::uint64_t()> largest)
    : beneath_(beneath),
      mount_(mount),
      logger_(std::move(logger)),
      tell_(std::move(tell)),
      largest_(std::move(largest)),
      closes_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
  ::signal(SIGIO, SIG_IGN);  // of leases: they are asked for what it would tell
}

// The kernel tells of a close a moment before it counts the writer out: so what follows soon is
// looked at soon.
Result<void> Importer::Run(std::chrono::milliseconds again) {
  constexpr std::chrono::milliseconds kSoon{10};
  for (auto pause = kSoon;; pause = std::min(2 * pause, again)) {
    if (auto passed = Pass(); !passed) return passed;
    if (summary_.waiting == 0 && summary_.failed == 0) return {};
    if (AwaitNews(pause)) pause = kSoon;
  }
}

Result<void> Importer::Pass() {
  struct stat beneath {};
  struct stat mount {};
  if (::fstat(beneath_, &beneath) != 0) return FailErrno("the directory beneath the mount");
  if (::fstat(mount_, &mount) != 0) return FailErrno("the mount");
  if (beneath.st_dev == mount.st_dev && beneath.st_ino == mount.st_ino) {
    return Fail(EINVAL, "the mount and what is beneath it are one directory");
  }
  if (auto const names = NamesIn(beneath_); !names) return Failure(names.error());
  place_of_originals_ = MountOf(beneath_, "");
  summary_.waiting = summary_.failed = summary_.left = 0;
  summary_.why.clear();
  TakeAll({beneath_, mount_, ""});
  if (tell_ && !(summary_ == told_)) tell_(summary_);
  told_ = summary_;
  return {};
}

void Importer::TakeAll(Place const& place) {
  auto const names = NamesIn(place.from);
  if (!names) return Account(place.path, names.error());
  for (auto const& name : *names) {
    struct stat status {};
    if (::fstatat(place.from, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (auto taken = Take(place, name, status); !taken) Account(place.path + name, taken.error());
  }
}

Result<void> Importer::Take(Place const& place, std::string const& name,
                            struct stat const& status) {
  if (MountOf(place.from, name) != place_of_originals_)
    return Fail(kLeftForGood, "something is mounted there");
  if (S_ISDIR(status.st_mode)) return TakeDirectory(place, name, status);
  if (S_ISLNK(status.st_mode)) return TakeLink(place, name, status);
  if (S_ISREG(status.st_mode)) return TakeFile(place, name);
  return Fail(kLeftForGood, "it is no file, directory or symbolic link");
}

// Else its bytes would be sent up to where there is no more room, at each try.
Result<void> Importer::CheckSize(struct stat const& status) const {
  if (!largest_) return {};
  auto const size = static_cast<std::uint64_t>(status.st_size);
  if (size <= largest_()) return {};
  // The log has each reason once: nothing in it changes by itself.
  return Fail(EFBIG, "it has " + std::to_string(size) +
                         " B, and the spool takes less: give the mount a larger --spool-size, its "
                         "disk more room, or --trim confirmed");
}

Result<void> Importer::TakeFile(Place const& place, std::string const& name) {
  auto original = Original::Open(place.from, name);
  if (!original && original.error().code == EBUSY) {
    AwaitClose(place.from, name);
    original = Original::Open(place.from, name);  // it may have been closed before that
  }
  if (!original) return Failure(original.error());
  auto const mark = MarkOf(original->status());
  auto const chosen =
      ChooseName(place.to, name, [&](std::string const& candidate, struct stat const& status) {
        return S_ISREG(status.st_mode) && HasMark(place.to, candidate, mark);
      });
  if (!chosen) return Failure(chosen.error());
  if (!chosen->is_there) {
    if (auto fits = CheckSize(original->status()); !fits) return fits;
    auto const copy = NameWhileCopied(chosen->name);
    if (auto copied = CopyFile(*original, place.to, copy); !copied) return copied;
    if (auto named = Rename(place.to, copy, chosen->name); !named) return named;
  } else if (auto synced = SyncNames(place.to); !synced) {
    return synced;  // whoever gave it its name may have died before it was on disk
  }
  if (auto same = original->CheckUnchanged(); !same) return same;
  if (auto removed = RemoveOriginal(place.from, name, 0); !removed) return removed;
  TakeMarkAway(place.to, chosen->name);
  NoteTaken(place.path + name, place.path + chosen->name,
            static_cast<std::uint64_t>(original->status().st_size));
  return {};
}

Result<void> Importer::TakeLink(Place const& place, std::string const& name,
                                struct stat const& status) {
  auto const target = TargetOf(place.from, name);
  if (target.empty()) return Fail(EIO, "where it leads to cannot be read");
  auto const chosen =
      ChooseName(place.to, name, [&](std::string const& candidate, struct stat const& there) {
        return S_ISLNK(there.st_mode) && TargetOf(place.to, candidate) == target;
      });
  if (!chosen) return Failure(chosen.error());
  if (!chosen->is_there && ::symlinkat(target.c_str(), place.to, chosen->name.c_str()) != 0) {
    return FailErrno("a link like it cannot be made");
  }
  timespec const times[2] = {status.st_atim, status.st_mtim};
  [[maybe_unused]] auto const timed =
      ::utimensat(place.to, chosen->name.c_str(), times, AT_SYMLINK_NOFOLLOW);
  if (auto synced = SyncNames(place.to); !synced) return synced;
  if (auto removed = RemoveOriginal(place.from, name, 0); !removed) return removed;
  NoteTaken(place.path + name, place.path + chosen->name, 0);
  return {};
}

Result<UniqueFd> Importer::MakeDirectory(int to, std::string const& name, int from,
                                         struct stat const& status) {
  constexpr mode_t kOwnersAlone = 0700;
  if (::mkdirat(to, name.c_str(), kOwnersAlone) != 0) {
    return FailErrno("a directory like it cannot be made");
  }
  auto made = OpenDirectory(to, name);
  if (!made) return made;
  // At once, for whoever writes there meanwhile.
  if (auto copied = CopyAttributes(from, status, made->get()); !copied) {
    ::unlinkat(to, name.c_str(), AT_REMOVEDIR);
    return Failure(copied.error());
  }
  return made;
}

Result<void> Importer::TakeDirectory(Place const& place, std::string const& name,
                                     struct stat const& status) {
  auto const from = OpenDirectory(place.from, name);
  if (!from) return Failure(from.error());
  auto const chosen = ChooseName(place.to, name, [](std::string const&, struct stat const& there) {
    return S_ISDIR(there.st_mode);
  });
  if (!chosen) return Failure(chosen.error());
  auto const to = chosen->is_there ? OpenDirectory(place.to, chosen->name)
                                   : MakeDirectory(place.to, chosen->name, from->get(), status);
  if (!to) return Failure(to.error());
  TakeAll({from->get(), to->get(), place.path + name + "/"});
  auto const rest = NamesIn(from->get());
  if (!rest) return Failure(rest.error());
  if (!rest->empty()) return {};  // each of them has been told of
  if (HasMark(place.to, chosen->name, MarkOf(status))) {
    if (auto set = SetTimes(status, to->get()); !set) return set;
  }
  if (auto synced = SyncNames(place.to); !synced) return synced;
  if (auto removed = RemoveOriginal(place.from, name, AT_REMOVEDIR); !removed) return removed;
  TakeMarkAway(place.to, chosen->name);
  reasons_.erase(place.path + name);
  return {};
}

void Importer::Account(std::string const& path, Error const& error) {
  auto const what = "'" + path + "' " + Describe(error);
  if (error.code == EBUSY) {
    ++summary_.waiting;
  } else if (error.code == kLeftForGood) {
    ++summary_.left;
    if (summary_.why.empty()) summary_.why = what;
  } else {
    ++summary_.failed;
    summary_.why = what;
  }
  if (std::exchange(reasons_[path], what) == what) return;
  if (error.code == EBUSY) {
    logger_->Info("what lies beneath the mount waits path=\"{}\" reason=\"{}\"", Printable(path),
                  Describe(error));
  } else {
    logger_->Error("what lies beneath the mount is not taken in path=\"{}\" reason=\"{}\"",
                   Printable(path), Printable(Describe(error)));
  }
}

void Importer::NoteTaken(std::string const& path, std::string const& as, std::uint64_t bytes) {
  ++summary_.files;
  summary_.bytes += bytes;
  reasons_.erase(path);
  logger_->Info("what lay beneath the mount was taken in path=\"{}\" as=\"{}\" size={}",
                Printable(path), Printable(as), bytes);
}

// Where it cannot be watched it is looked at again all the same, later.
void Importer::AwaitClose(int directory, std::string const& name) const {
  auto const path = "/proc/self/fd/" + std::to_string(directory) + "/" + name;
  [[maybe_unused]] auto const watched =
      ::inotify_add_watch(closes_.get(), path.c_str(), IN_CLOSE_WRITE | IN_DONT_FOLLOW);
}

bool Importer::AwaitNews(std::chrono::milliseconds limit) const {
  pollfd news{closes_.get(), POLLIN, 0};
  if (::poll(&news, 1, static_cast<int>(limit.count())) <= 0) return false;
  std::array<char, 4096> events{};
  while (::read(closes_.get(), events.data(), events.size()) > 0) {
  }
  return true;
}

}  // namespace tusfs
