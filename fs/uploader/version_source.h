// The uploader's view of a version, for tusclient.
#pragma once

#include <tusclient/data_source.h>

#include "spool/version.h"

namespace tusfs {

/// The version outlives it.
class VersionSource : public tus::DataSource {
 public:
  explicit VersionSource(Version const& version) : version_(version) {}

  tus::Result<std::size_t> ReadAt(std::uint64_t offset, std::span<std::byte> out) override {
    auto got = version_.Read(offset, out);
    if (got) return *got;
    tus::Error error;
    error.code = tus::ErrorCode::kSource;
    error.message = Describe(got.error());
    return tl::unexpected(error);
  }

 private:
  Version const& version_;
};

}  // namespace tusfs
