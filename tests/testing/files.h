// Files for tests: temporary directories, content that does not compress, digests.
//
// Errors of the local disk throw std::system_error: a test cannot go on without it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace tusfs_testing {

/// A directory of its own under $TMPDIR (or /tmp), removed with what is in it.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(TempDir const&) = delete;
  TempDir& operator=(TempDir const&) = delete;

  [[nodiscard]] std::filesystem::path const& path() const { return path_; }
  [[nodiscard]] std::filesystem::path operator/(std::string_view name) const {
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

/// `size` bytes that look random and depend on `seed` only.
[[nodiscard]] std::string RandomBytes(std::size_t size, std::uint64_t seed = 1);
/// The same into a file, of any size.
void WriteRandomFile(std::filesystem::path const& path, std::uint64_t size, std::uint64_t seed = 1);
void WriteFile(std::filesystem::path const& path, std::string_view content);
[[nodiscard]] std::string ReadFile(std::filesystem::path const& path);

/// In hexadecimal.
[[nodiscard]] std::string Sha256(std::string_view bytes);
[[nodiscard]] std::string Sha256OfFile(std::filesystem::path const& path);

}  // namespace tusfs_testing
