// One upload as the fixture server keeps it: its record, and its bytes in memory or in a file.
//
// Owned by the FixtureServer, which calls everything here under its lock, except Write(): only the
// one request that has the upload may append, and appending to a file needs no lock.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tusfs_testing {

/// Where bytes go. kNowhere counts and discards them, for benchmarks.
enum class Storage { kMemory, kDirectory, kNowhere };

/// What a test sees of an upload: a copy.
struct UploadView {
  std::string id;
  std::map<std::string, std::string> metadata;  // decoded
  std::optional<std::uint64_t> length;          // unset while deferred
  std::uint64_t offset = 0;
  bool complete = false;
  bool partial = false;  // a part for a later concatenation: complete, but published with the whole
  std::vector<std::string> parts{};  // ids of those that it was made of, in order
  std::optional<std::chrono::system_clock::time_point> expires;
  std::string repr_digest;     // the last Repr-Digest, as it came
  std::uint64_t received = 0;  // body bytes that came for it, also those not kept
  int posts = 0;
  int patches = 0;
  int heads = 0;

  /// The value of `key`, or an empty string.
  [[nodiscard]] std::string Metadata(std::string const& key) const;
};

class StoredUpload {
 public:
  StoredUpload(std::string id, Storage storage, std::filesystem::path const& directory);
  ~StoredUpload();
  StoredUpload(StoredUpload const&) = delete;
  StoredUpload& operator=(StoredUpload const&) = delete;

  /// Puts `bytes` at `offset`. Visible to readers once the owner raises view.offset.
  void Write(std::uint64_t offset, std::span<char const> bytes);
  /// Reads from 0 … view.offset; returns fewer bytes only at the end.
  [[nodiscard]] std::size_t Read(std::uint64_t offset, std::span<char> into) const;

  UploadView view;
  std::string raw_metadata;
  std::string raw_concat;
  bool has_metadata = false;

 private:
  Storage const storage_;
  std::filesystem::path file_;
  int fd_ = -1;
  std::vector<char> memory_;
};

/// Parses an Upload-Metadata header strictly: padded base64, `,` without spaces, unique keys.
[[nodiscard]] std::optional<std::map<std::string, std::string>> ParseMetadata(
    std::string_view header);

[[nodiscard]] std::optional<std::string> DecodeBase64(std::string_view text);

}  // namespace tusfs_testing
