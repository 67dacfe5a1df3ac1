#include "testing/files.h"

#include <openssl/evp.h>
#include <stdlib.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <memory>
#include <random>
#include <span>
#include <sstream>
#include <system_error>
#include <vector>

namespace tusfs_testing {
namespace {

constexpr std::size_t kBlock = 1024 * 1024;

[[noreturn]] void Fail(std::filesystem::path const& path) {
  throw std::system_error(errno, std::generic_category(), path.string());
}

void Fill(std::span<char> bytes, std::mt19937_64& random) {
  while (!bytes.empty()) {
    std::uint64_t const word = random();
    std::size_t const count = std::min(bytes.size(), sizeof word);
    std::copy_n(reinterpret_cast<char const*>(&word), count, bytes.begin());
    bytes = bytes.subspan(count);
  }
}

class Sha256Sum {
 public:
  Sha256Sum() { EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr); }
  void Add(std::string_view bytes) { EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()); }
  std::string Hex() {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    EVP_DigestFinal_ex(context_.get(), digest, &length);
    static constexpr std::string_view kDigits = "0123456789abcdef";
    std::string hex;
    for (unsigned i = 0; i < length; ++i) {
      hex += kDigits[digest[i] >> 4];
      hex += kDigits[digest[i] & 15];
    }
    return hex;
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_{EVP_MD_CTX_new(),
                                                                   &EVP_MD_CTX_free};
};

}  // namespace

TempDir::TempDir() {
  std::string pattern = (std::filesystem::temp_directory_path() / "tusfs-test-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) Fail(pattern);
  path_ = pattern;
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string RandomBytes(std::size_t size, std::uint64_t seed) {
  std::string bytes(size, '\0');
  std::mt19937_64 random(seed);
  Fill(bytes, random);
  return bytes;
}

void WriteRandomFile(std::filesystem::path const& path, std::uint64_t size, std::uint64_t seed) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  std::mt19937_64 random(seed);
  std::vector<char> block(kBlock);
  while (file && size > 0) {
    auto const count = static_cast<std::size_t>(std::min<std::uint64_t>(size, kBlock));
    Fill({block.data(), count}, random);
    file.write(block.data(), static_cast<std::streamsize>(count));
    size -= count;
  }
  if (!file.flush()) Fail(path);
}

void WriteFile(std::filesystem::path const& path, std::string_view content) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(content.data(), static_cast<std::streamsize>(content.size()));
  if (!file.flush()) Fail(path);
}

std::string ReadFile(std::filesystem::path const& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) Fail(path);
  std::ostringstream content;
  content << file.rdbuf();
  return std::move(content).str();
}

std::string Sha256(std::string_view bytes) {
  Sha256Sum sum;
  sum.Add(bytes);
  return sum.Hex();
}

std::string Sha256OfFile(std::filesystem::path const& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) Fail(path);
  Sha256Sum sum;
  std::vector<char> block(kBlock);
  while (file.read(block.data(), static_cast<std::streamsize>(block.size())) || file.gcount() > 0) {
    sum.Add({block.data(), static_cast<std::size_t>(file.gcount())});
  }
  if (file.bad()) Fail(path);
  return sum.Hex();
}

}  // namespace tusfs_testing
