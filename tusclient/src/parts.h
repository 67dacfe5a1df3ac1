// The parts of one file: where each begins, what it is called in a store, and its bytes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tusclient/data_source.h"
#include "tusclient/url_store.h"

namespace tus {

/// Bytes [begin, end) of the file.
struct Part {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;

  [[nodiscard]] std::uint64_t size() const { return end - begin; }
  [[nodiscard]] std::string Key(std::string const& fingerprint) const {
    return "bytes " + std::to_string(begin) + " to " + std::to_string(end) + " of " + fingerprint;
  }
};

/// Of a file of `length` bytes: parts of `size` each (> 0), and what is left; at most `most`.
[[nodiscard]] inline std::vector<Part> PartsOf(std::uint64_t length, std::uint64_t size,
                                               std::size_t most) {
  auto const least = length / most + (length % most == 0 ? 0 : 1);
  size = std::max(size, least);
  std::vector<Part> parts;
  for (std::uint64_t at = 0; at < length; at = parts.back().end) {
    parts.push_back({.begin = at, .end = length - at > size ? at + size : length});
  }
  return parts;
}

/// The bytes of one part. `whole` outlives it.
class PartSource : public DataSource {
 public:
  PartSource(DataSource& whole, Part part) : whole_(whole), part_(part) {}

  [[nodiscard]] Result<std::size_t> ReadAt(std::uint64_t offset,
                                           std::span<std::byte> out) override {
    auto const left = part_.size() - std::min(offset, part_.size());
    return whole_.ReadAt(part_.begin + offset,
                         out.first(std::min(left, std::uint64_t{out.size()})));
  }

 private:
  DataSource& whole_;
  Part const part_;
};

/// A part that is complete is forgotten only with the whole: until then its record tells the next
/// call where it is. What replaces a record replaces it here, too.
class PartStore : public UrlStore {
 public:
  explicit PartStore(UrlStore& store) : store_(store) {}

  [[nodiscard]] Result<std::optional<StoredUpload>> Find(std::string const& fingerprint) override {
    return store_.Find(fingerprint);
  }
  [[nodiscard]] Result<void> Put(std::string const& fingerprint,
                                 StoredUpload const& upload) override {
    return store_.Put(fingerprint, upload);
  }
  [[nodiscard]] Result<void> Remove(std::string const& /*fingerprint*/) override { return {}; }

 private:
  UrlStore& store_;
};

}  // namespace tus
