#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace tusfs {
namespace {

constexpr std::size_t kLargestSmallFile = 16 * 1024;

}  // namespace

UniqueFd& UniqueFd::operator=(UniqueFd&& other) noexcept {
  if (this != &other) {
    Reset();
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

void UniqueFd::Reset() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

Result<UniqueFd> OpenFile(std::filesystem::path const& path, int flags) {
  int const fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (fd < 0) return FailErrno(path.string());
  return UniqueFd(fd);
}

Result<std::size_t> ReadFully(int fd, std::span<std::byte> out, std::uint64_t offset) {
  std::size_t done = 0;
  while (done < out.size()) {
    ssize_t const n =
        ::pread(fd, out.data() + done, out.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return FailErrno("read");
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return done;
}

Result<void> WriteFully(int fd, std::span<std::byte const> bytes, std::uint64_t offset) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    ssize_t const n =
        ::pwrite(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return FailErrno("write");
    done += static_cast<std::size_t>(n);
  }
  return {};
}

Result<void> MakePrivateDirectory(std::filesystem::path const& path) {
  std::error_code ignored;
  if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path(), ignored);
  if (::mkdir(path.c_str(), 0700) == 0) return {};
  int const mkdir_error = errno;
  struct stat status {};
  bool const is_there = ::lstat(path.c_str(), &status) == 0;
  if (is_there && S_ISDIR(status.st_mode)) return {};
  if (is_there && S_ISLNK(status.st_mode)) {
    return Fail(ELOOP, "'" + path.string() + "' is a symbolic link: name the directory itself");
  }
  errno = mkdir_error;
  return FailErrno(path.string());
}

Result<void> SyncDirectory(std::filesystem::path const& path) {
  auto fd = OpenFile(path, O_RDONLY | O_DIRECTORY);
  if (!fd) return Failure(fd.error());
  if (::fsync(fd->get()) != 0) return FailErrno(path.string());
  return {};
}

Result<std::string> ReadSmallFile(std::filesystem::path const& path) {
  auto fd = OpenFile(path, O_RDONLY);
  if (!fd) return Failure(fd.error());
  char text[kLargestSmallFile];
  // One read: the files of /proc come whole, and are read for every file that is closed.
  auto const n = ::read(fd->get(), text, sizeof text);
  if (n < 0) return FailErrno(path.string());
  return std::string(text, static_cast<std::size_t>(n));
}

Result<void> ReplaceFile(std::filesystem::path const& path, std::string const& text, mode_t mode) {
  auto const temporary = path.string() + ".new";
  auto const write = [&]() -> Result<void> {
    auto fd = OpenFile(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW);
    if (!fd) return Failure(fd.error());
    if (::fchmod(fd->get(), mode) != 0) return FailErrno(temporary);
    return WriteFully(fd->get(), std::as_bytes(std::span(text)), 0);
  };
  auto written = write();
  if (written && ::rename(temporary.c_str(), path.c_str()) != 0) written = FailErrno(path.string());
  if (!written) ::unlink(temporary.c_str());
  return written;
}

Result<void> CheckReplaceable(std::filesystem::path const& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0 || S_ISREG(status.st_mode)) return {};
  return Fail(EEXIST, "'" + path.string() + "' is no regular file: name another one");
}

}  // namespace tusfs
