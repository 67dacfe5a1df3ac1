// Where a program remembers its unfinished uploads, so that another run of it can go on.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "tusclient/error.h"
#include "tusclient/judge.h"

namespace tus {

/// What is known of an unfinished upload.
struct StoredUpload {
  std::string url{};                      ///< a bearer secret
  std::optional<std::uint64_t> length{};  ///< declared bytes; nothing while it is deferred
  /// What became of the request that completes the upload; kSent from before it goes out. Whoever
  /// finds the upload gone from the server then cannot know whether it was published.
  UploadFacts::End end = UploadFacts::End::kNotSent;
  std::string end_words{};  ///< see UploadFacts
  /// The server deletes it after this, where it has said so.
  std::optional<std::chrono::system_clock::time_point> expires{};
  /// For sources that cannot be told by their name: SHA-256 (raw bytes) of the first
  /// `checked_length` bytes, which is all that was ever handed to the server.
  std::uint64_t checked_length = 0;
  std::string checked_sha256{};
};

/// Keyed by fingerprint: any text that is equal when, and only when, the bytes are.
class UrlStore {
 public:
  virtual ~UrlStore() = default;

  /// Errors: kInvalidArgument where the store cannot be used, for Put either, with a sentence that
  /// names it: an upload that cannot be remembered is not begun.
  [[nodiscard]] virtual Result<std::optional<StoredUpload>> Find(
      std::string const& fingerprint) = 0;
  /// Adds or replaces; after it has returned the record survives the program, and a power cut when
  /// `end` is not kNotSent or the record is new.
  [[nodiscard]] virtual Result<void> Put(std::string const& fingerprint,
                                         StoredUpload const& upload) = 0;
  /// What is not there is no error.
  [[nodiscard]] virtual Result<void> Remove(std::string const& fingerprint) = 0;
};

/// One small text file for each upload, mode 0600, in a directory of mode 0700 that is made where
/// it is missing. Several programs may share it: each file is replaced as a whole. A file that
/// cannot be read as a record counts as missing. Thread-safe.
class FileUrlStore : public UrlStore {
 public:
  explicit FileUrlStore(std::filesystem::path directory) : directory_(std::move(directory)) {}

  [[nodiscard]] Result<std::optional<StoredUpload>> Find(std::string const& fingerprint) override;
  [[nodiscard]] Result<void> Put(std::string const& fingerprint,
                                 StoredUpload const& upload) override;
  [[nodiscard]] Result<void> Remove(std::string const& fingerprint) override;

 private:
  std::filesystem::path const directory_;

  [[nodiscard]] std::filesystem::path PathOf(std::string const& fingerprint) const;
};

}  // namespace tus
