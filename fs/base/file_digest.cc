#include "base/file_digest.h"

#include <openssl/evp.h>
#include <xxhash.h>

#include <array>
#include <new>

namespace tusfs {

struct FileDigest::State {
  XXH3_state_t* const xxh3 = XXH3_createState();
  XXH64_state_t* const xxh64 = XXH64_createState();
  EVP_MD_CTX* const sha256;  ///< null: not wanted

  explicit State(bool with_sha256) : sha256(with_sha256 ? EVP_MD_CTX_new() : nullptr) {
    if (xxh3 == nullptr || xxh64 == nullptr || (with_sha256 && sha256 == nullptr))
      throw std::bad_alloc();
    // XXH3 of 64 and of 128 bits are two ends of the same state.
    XXH3_128bits_reset(xxh3);
    XXH64_reset(xxh64, 0);
    if (sha256 != nullptr) sha256_works = EVP_DigestInit_ex(sha256, EVP_sha256(), nullptr) == 1;
  }
  ~State() {
    XXH3_freeState(xxh3);
    XXH64_freeState(xxh64);
    EVP_MD_CTX_free(sha256);
  }
  State(State const&) = delete;
  State& operator=(State const&) = delete;

  bool sha256_works = false;
};

FileDigest::FileDigest(bool with_sha256) : state_(std::make_unique<State>(with_sha256)) {}
FileDigest::~FileDigest() = default;

void FileDigest::Pass(std::uint64_t offset, std::span<std::byte const> bytes) {
  auto const end = offset + bytes.size();
  if (offset > passed_ || end <= passed_) return;
  auto const fresh = bytes.subspan(static_cast<std::size_t>(passed_ - offset));
  XXH3_128bits_update(state_->xxh3, fresh.data(), fresh.size());
  XXH64_update(state_->xxh64, fresh.data(), fresh.size());
  if (state_->sha256_works) {
    state_->sha256_works = EVP_DigestUpdate(state_->sha256, fresh.data(), fresh.size()) == 1;
  }
  passed_ = end;
}

WholeDigests FileDigest::Digests(std::uint64_t size) const {
  WholeDigests digests;
  if (passed_ != size) return digests;
  XXH128_canonical_t long_one;
  XXH128_canonicalFromHash(&long_one, XXH3_128bits_digest(state_->xxh3));
  digests.xxh128.assign(reinterpret_cast<char const*>(long_one.digest), sizeof long_one.digest);
  XXH64_canonical_t short_one;
  XXH64_canonicalFromHash(&short_one, XXH3_64bits_digest(state_->xxh3));
  digests.xxh3.assign(reinterpret_cast<char const*>(short_one.digest), sizeof short_one.digest);
  XXH64_canonicalFromHash(&short_one, XXH64_digest(state_->xxh64));
  digests.xxh64.assign(reinterpret_cast<char const*>(short_one.digest), sizeof short_one.digest);
  if (!state_->sha256_works) return digests;
  // Of a copy: bytes may follow.
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> const copy(EVP_MD_CTX_new(),
                                                                     EVP_MD_CTX_free);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  bool const is_made = copy && EVP_MD_CTX_copy_ex(copy.get(), state_->sha256) == 1 &&
                       EVP_DigestFinal_ex(copy.get(), digest.data(), &length) == 1;
  if (is_made) digests.sha256.assign(reinterpret_cast<char const*>(digest.data()), length);
  return digests;
}

std::string Hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (auto const byte : bytes) {
    auto const value = static_cast<unsigned char>(byte);
    text += kDigits[value >> 4];
    text += kDigits[value & 15];
  }
  return text;
}

}  // namespace tusfs
