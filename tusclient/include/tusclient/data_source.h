// Where the bytes of an upload come from.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <stop_token>
#include <string>

#include "tusclient/error.h"

namespace tus {

/// Bytes that can be read at any position, as often as a retry needs them. Implementations are
/// called by one thread per request; several requests may read one source at the same time.
class DataSource {
 public:
  virtual ~DataSource() = default;

  /// Reads up to `out.size()` bytes at byte `offset` into `out` and returns how many were read.
  /// Fewer than asked is allowed, 0 means that the source ends before `offset`. Errors: kSource.
  [[nodiscard]] virtual Result<std::size_t> ReadAt(std::uint64_t offset,
                                                   std::span<std::byte> out) = 0;
};

/// A source over memory that the caller owns and keeps alive.
class MemorySource : public DataSource {
 public:
  explicit MemorySource(std::span<std::byte const> bytes) : bytes_(bytes) {}
  [[nodiscard]] Result<std::size_t> ReadAt(std::uint64_t offset, std::span<std::byte> out) override;

 private:
  std::span<std::byte const> bytes_;
};

/// A regular file as it was when it was opened: a size or modification time that changes meanwhile
/// is kSource, because the bytes sent would be of two files.
class FileSource : public DataSource {
 public:
  /// Whether the path may be a symbolic link itself; those in the folders before it are followed.
  enum class Links { kFollow, kRefuse };

  /// Errors: kSource with a sentence that names the file; what is no regular file, too.
  [[nodiscard]] static Result<std::unique_ptr<FileSource>> Open(std::filesystem::path const& path,
                                                                Links links = Links::kFollow);
  ~FileSource() override;
  FileSource(FileSource const&) = delete;
  FileSource& operator=(FileSource const&) = delete;

  [[nodiscard]] Result<std::size_t> ReadAt(std::uint64_t offset, std::span<std::byte> out) override;

  [[nodiscard]] std::uint64_t size() const { return size_; }  ///< bytes
  [[nodiscard]] std::chrono::system_clock::time_point modified() const { return modified_; }
  /// Absolute path, device, inode, size and modification time: equal when the bytes are the same,
  /// as far as a filesystem tells.
  [[nodiscard]] std::string Fingerprint() const;

 private:
  FileSource(int fd, std::filesystem::path path) : fd_(fd), path_(std::move(path)) {}

  int fd_;
  std::filesystem::path path_;
  std::uint64_t size_ = 0;
  std::uint64_t device_ = 0;
  std::uint64_t inode_ = 0;
  std::chrono::system_clock::time_point modified_;
};

/// A source whose end is not known before it is reached, such as a pipe. What the server has
/// confirmed cannot be read again.
class GrowingSource : public DataSource {
 public:
  struct Extent {
    std::uint64_t end = 0;  ///< bytes up to here can be read
    bool ended = false;     ///< and there will never be more
  };

  /// Waits until bytes up to `end` are there, or the source has ended, or `patience` is over and
  /// bytes beyond `from` are there. Never reads beyond `end`. Errors: kSource, kCancelled.
  [[nodiscard]] virtual Result<Extent> Await(std::uint64_t from, std::uint64_t end,
                                             std::chrono::milliseconds patience,
                                             std::stop_token stop) = 0;

  /// Bytes below `offset` are not asked for again. It may lie beyond what was read: then bytes are
  /// dropped as they come, and still count in Sha256.
  virtual void Release(std::uint64_t offset) = 0;

  /// SHA-256 (raw bytes) of everything up to the last Extent's end.
  [[nodiscard]] virtual std::string Sha256() const = 0;
};

/// What a pipe, a terminal or a socket gives: keeps in memory what was read and not released.
/// Belongs to one upload.
class PipeSource : public GrowingSource {
 public:
  /// `fd` stays the caller's and outlives the source.
  explicit PipeSource(int fd);
  ~PipeSource() override;

  [[nodiscard]] Result<std::size_t> ReadAt(std::uint64_t offset, std::span<std::byte> out) override;
  [[nodiscard]] Result<Extent> Await(std::uint64_t from, std::uint64_t end,
                                     std::chrono::milliseconds patience,
                                     std::stop_token stop) override;
  void Release(std::uint64_t offset) override;
  [[nodiscard]] std::string Sha256() const override;

 private:
  class Window;
  std::unique_ptr<Window> window_;
};

}  // namespace tus
