// The uploader's view of a version, for tusclient.
#pragma once

#include <tusclient/data_source.h>

#include "base/file_digest.h"
#include "spool/version.h"

namespace tusfs {

/// The version outlives it, and so does `digest`, which sees the bytes as they go out; null: nobody
/// wants that. Its first byte is byte `begin` of the version.
class VersionSource : public tus::DataSource {
 public:
  explicit VersionSource(Version const& version, FileDigest* digest = nullptr,
                         std::uint64_t begin = 0)
      : version_(version), digest_(digest), begin_(begin) {}

  tus::Result<std::size_t> ReadAt(std::uint64_t offset, std::span<std::byte> out) override {
    auto got = version_.Read(begin_ + offset, out);
    if (got && digest_ != nullptr) digest_->Pass(offset, out.first(*got));
    if (got) return *got;
    tus::Error error;
    error.code = tus::ErrorCode::kSource;
    error.message = Describe(got.error());
    return tl::unexpected(error);
  }

 private:
  Version const& version_;
  FileDigest* const digest_;
  std::uint64_t const begin_;
};

}  // namespace tusfs
