#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <limits>
#include <system_error>

#include "fail.h"
#include "tusclient/data_source.h"

namespace tus {
namespace {

using Time = std::chrono::system_clock::time_point;

tl::unexpected<Error> Trouble(std::filesystem::path const& path, std::string const& what) {
  return Fail(ErrorCode::kSource, "'" + path.string() + "' " + what);
}

std::string Words(int code) { return std::system_category().message(code); }

Time ModifiedOf(struct stat const& status) {
  return Time(
      std::chrono::duration_cast<Time::duration>(std::chrono::seconds(status.st_mtim.tv_sec) +
                                                 std::chrono::nanoseconds(status.st_mtim.tv_nsec)));
}

}  // namespace

Result<std::unique_ptr<FileSource>> FileSource::Open(std::filesystem::path const& path,
                                                     Links links) {
  // Without O_NONBLOCK a fifo would wait here for its writer.
  int const follow = links == Links::kFollow ? 0 : O_NOFOLLOW;
  int const fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | follow);
  if (fd < 0 && follow != 0 && errno == ELOOP) return Trouble(path, "is a symbolic link");
  if (fd < 0) return Trouble(path, "cannot be read: " + Words(errno));
  // Now, because the program may change its directory. Two ways to write one path are one upload.
  std::error_code failed;
  auto const absolute = std::filesystem::absolute(path, failed).lexically_normal();
  std::unique_ptr<FileSource> source(new FileSource(fd, failed ? path : absolute));
  struct stat status {};
  if (::fstat(fd, &status) != 0) return Trouble(path, "cannot be read: " + Words(errno));
  if (!S_ISREG(status.st_mode)) {
    return Trouble(path, S_ISDIR(status.st_mode) ? "is a directory" : "is not a regular file");
  }
  source->size_ = static_cast<std::uint64_t>(status.st_size);
  source->device_ = status.st_dev;
  source->inode_ = status.st_ino;
  source->modified_ = ModifiedOf(status);
  ::posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);  // only a hint
  return source;
}

FileSource::~FileSource() { ::close(fd_); }

Result<std::size_t> FileSource::ReadAt(std::uint64_t offset, std::span<std::byte> out) {
  if (offset > static_cast<std::uint64_t>(std::numeric_limits<off_t>::max())) return 0;
  ssize_t count = 0;
  do {
    count = ::pread(fd_, out.data(), out.size(), static_cast<off_t>(offset));
  } while (count < 0 && errno == EINTR);
  if (count < 0) return Trouble(path_, "cannot be read: " + Words(errno));
  // After the read: what it returned is of the file as it was opened.
  struct stat status {};
  if (::fstat(fd_, &status) != 0) return Trouble(path_, "cannot be read: " + Words(errno));
  if (static_cast<std::uint64_t>(status.st_size) != size_ || ModifiedOf(status) != modified_) {
    return Trouble(path_, "changed while it was being uploaded");
  }
  return static_cast<std::size_t>(count);
}

std::string FileSource::Fingerprint() const {
  // The path comes last, since it may contain anything.
  return "file " + std::to_string(device_) + " " + std::to_string(inode_) + " " +
         std::to_string(size_) + " " + std::to_string(modified_.time_since_epoch().count()) + " " +
         path_.string();
}

}  // namespace tus
