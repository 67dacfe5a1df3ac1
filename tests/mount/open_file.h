// A file of the mount that the test itself holds open, as a program in the middle of its work.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string_view>
#include <system_error>

namespace tusfs_testing {

class OpenFile {
 public:
  /// Opens for writing, created and emptied. Throws std::system_error.
  explicit OpenFile(std::filesystem::path const& path)
      : fd_(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) {
    if (fd_ < 0) throw std::system_error(errno, std::generic_category(), path.string());
  }
  ~OpenFile() { Close(); }
  OpenFile(OpenFile const&) = delete;
  OpenFile& operator=(OpenFile const&) = delete;

  /// All of `bytes`, at the end. Throws std::system_error.
  void Write(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t const written = ::write(fd_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) throw std::system_error(errno, std::generic_category(), "write");
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
  }
  /// 0, or the errno of close(2).
  int Close() {
    int const fd = fd_;
    fd_ = -1;
    return fd < 0 || ::close(fd) == 0 ? 0 : errno;
  }

 private:
  int fd_;
};

}  // namespace tusfs_testing
