#include "spool/spool.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <vector>

namespace tusfs {
namespace {

constexpr VersionId kVersionsPerDirectory = 4096;

std::string Hex(std::uint64_t number) {
  char digits[17];
  std::snprintf(digits, sizeof digits, "%llx", static_cast<unsigned long long>(number));
  return digits;
}

}  // namespace

Result<std::unique_ptr<Spool>> Spool::Open(std::filesystem::path const& directory) {
  auto made = MakePrivateDirectory(directory);
  if (!made) return Failure(made.error());
  auto fd = OpenFile(directory, O_RDONLY | O_DIRECTORY);
  if (!fd) return Failure(fd.error());
  return std::unique_ptr<Spool>(new Spool(directory, std::move(*fd)));
}

std::filesystem::path Spool::PathOf(VersionId id) const {
  return directory_ / Hex(id / kVersionsPerDirectory) / Hex(id);
}

Result<std::shared_ptr<Version>> Spool::Create(VersionId id) {
  auto const path = PathOf(id);
  auto fd = OpenFile(path, O_RDWR | O_CREAT | O_EXCL);
  if (!fd && fd.error().code == ENOENT) {
    if (::mkdir(path.parent_path().c_str(), 0700) != 0 && errno != EEXIST) {
      return FailErrno(path.parent_path().string());
    }
    fd = OpenFile(path, O_RDWR | O_CREAT | O_EXCL);
  }
  if (!fd) return Failure(fd.error());
  auto version = std::make_shared<Version>(id, std::move(*fd), 0, 0);
  MutexLock lock(mutex_);
  Remember(version);
  return version;
}

Result<std::shared_ptr<Version>> Spool::Find(VersionId id, std::uint64_t size) {
  MutexLock lock(mutex_);
  if (auto const found = open_.find(id); found != open_.end()) {
    if (auto version = found->second.lock()) return version;
  }
  auto fd = OpenFile(PathOf(id), O_RDWR);
  if (!fd) return Failure(fd.error());
  struct stat status {};
  if (::fstat(fd->get(), &status) != 0) return FailErrno("spool");
  auto const on_disk = static_cast<std::uint64_t>(status.st_size);
  auto version =
      std::make_shared<Version>(id, std::move(*fd), std::min(size, on_disk), std::nullopt);
  Remember(version);
  return version;
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
  {
    MutexLock lock(mutex_);
    open_.erase(id);
  }
  if (::unlink(PathOf(id).c_str()) != 0 && errno != ENOENT) return FailErrno(PathOf(id).string());
  return {};
}

void Spool::Flush() { ::syncfs(fd_.get()); }

Result<std::uint64_t> Spool::Sweep(std::function<bool(VersionId)> const& wanted,
                                   std::stop_token stop) {
  namespace fs = std::filesystem;
  std::uint64_t removed = 0;
  std::error_code failed;
  std::vector<fs::path> unwanted;
  for (fs::recursive_directory_iterator at(directory_, failed), end;
       !failed && at != end && !stop.stop_requested(); at.increment(failed)) {
    std::error_code gone;  // removed meanwhile
    if (!at->is_regular_file(gone)) continue;
    auto const name = at->path().filename().string();
    VersionId id = 0;
    auto const parsed = std::from_chars(name.data(), name.data() + name.size(), id, 16);
    // What is not ours by its name is left alone.
    if (parsed.ec != std::errc() || parsed.ptr != name.data() + name.size()) continue;
    if (at->path() == PathOf(id) && !wanted(id)) unwanted.push_back(at->path());
  }
  if (failed) return Fail(failed.value(), directory_.string() + ": " + failed.message());
  for (auto const& path : unwanted) {
    if (stop.stop_requested()) break;
    if (::unlink(path.c_str()) == 0) {
      ++removed;
    } else if (errno != ENOENT) {
      return FailErrno(path.string());
    }
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
