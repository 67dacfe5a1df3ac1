// Small wrappers around file descriptors that turn errno into values.
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <utility>

#include "base/error.h"

namespace tusfs {

/// Owns a file descriptor.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept;
  ~UniqueFd() { Reset(); }

  [[nodiscard]] int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  void Reset();
  /// Gives the descriptor away.
  [[nodiscard]] int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

/// Opens with O_CLOEXEC; a created file gets mode 0600.
[[nodiscard]] Result<UniqueFd> OpenFile(std::filesystem::path const& path, int flags);

/// Reads until `out` is full or the file ends; returns how many bytes were read.
[[nodiscard]] Result<std::size_t> ReadFully(int fd, std::span<std::byte> out, std::uint64_t offset);

/// Writes all of `bytes` or fails; what was written before a failure stays.
[[nodiscard]] Result<void> WriteFully(int fd, std::span<std::byte const> bytes,
                                      std::uint64_t offset);

/// Creates `path` and its parents, the last one with mode 0700. An existing directory is success, a
/// link to one is not.
[[nodiscard]] Result<void> MakePrivateDirectory(std::filesystem::path const& path);

/// Makes the names inside the directory durable.
[[nodiscard]] Result<void> SyncDirectory(std::filesystem::path const& path);

/// The text of a file of at most 16 KiB, such as those of /proc.
[[nodiscard]] Result<std::string> ReadSmallFile(std::filesystem::path const& path);

/// Replaces `path` by `text`, atomically; a link is replaced, not followed.
[[nodiscard]] Result<void> ReplaceFile(std::filesystem::path const& path, std::string const& text,
                                       mode_t mode = 0600);

/// Whether `path`, which a person has named, may be replaced: it is no file yet, or a regular one.
/// Errors: EEXIST with a sentence; a device, a pipe or a link is somebody's.
[[nodiscard]] Result<void> CheckReplaceable(std::filesystem::path const& path);

}  // namespace tusfs
