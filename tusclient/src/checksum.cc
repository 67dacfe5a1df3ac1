#include "tusclient/checksum.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <utility>

#include "fail.h"

namespace tus {
namespace {

constexpr std::array kBestFirst{ChecksumAlgorithm::kSha256, ChecksumAlgorithm::kSha512,
                                ChecksumAlgorithm::kSha1, ChecksumAlgorithm::kMd5,
                                ChecksumAlgorithm::kCrc32};
constexpr std::size_t kBlock = std::size_t{256} << 10;

/// Nothing for crc32, which is not libcrypto's.
EVP_MD const* DigestOf(ChecksumAlgorithm algorithm) {
  switch (algorithm) {
    case ChecksumAlgorithm::kSha256:
      return EVP_sha256();
    case ChecksumAlgorithm::kSha512:
      return EVP_sha512();
    case ChecksumAlgorithm::kSha1:
      return EVP_sha1();
    case ChecksumAlgorithm::kMd5:
      return EVP_md5();
    case ChecksumAlgorithm::kCrc32:
      break;
  }
  return nullptr;
}

// CRC-32 of IEEE 802.3, reflected, eight bytes at a time: tables[n] has the effect of a byte that
// is followed by n others.
using Crc32Tables = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr Crc32Tables MakeCrc32Tables() {
  constexpr std::uint32_t kPolynomial = 0xEDB88320;
  Crc32Tables tables{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t remainder = byte;
    for (int bit = 0; bit < 8; ++bit) {
      remainder = remainder >> 1 ^ ((remainder & 1) != 0 ? kPolynomial : 0);
    }
    tables[0][byte] = remainder;
  }
  for (std::size_t more = 1; more < tables.size(); ++more) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      auto const before = tables[more - 1][byte];
      tables[more][byte] = before >> 8 ^ tables[0][before & 0xFF];
    }
  }
  return tables;
}

constexpr Crc32Tables kCrc32 = MakeCrc32Tables();

std::uint32_t Crc32(std::uint32_t state, std::span<std::byte const> bytes) {
  auto const at = [&](std::size_t index) { return std::to_integer<std::uint32_t>(bytes[index]); };
  for (; bytes.size() >= 8; bytes = bytes.subspan(8)) {
    state = kCrc32[7][(state ^ at(0)) & 0xFF] ^ kCrc32[6][(state >> 8 ^ at(1)) & 0xFF] ^
            kCrc32[5][(state >> 16 ^ at(2)) & 0xFF] ^ kCrc32[4][(state >> 24 ^ at(3)) & 0xFF] ^
            kCrc32[3][at(4)] ^ kCrc32[2][at(5)] ^ kCrc32[1][at(6)] ^ kCrc32[0][at(7)];
  }
  for (; !bytes.empty(); bytes = bytes.subspan(1)) {
    state = state >> 8 ^ kCrc32[0][(state ^ at(0)) & 0xFF];
  }
  return state;
}

}  // namespace

std::string_view Name(ChecksumAlgorithm algorithm) {
  switch (algorithm) {
    case ChecksumAlgorithm::kSha256:
      return "sha256";
    case ChecksumAlgorithm::kSha512:
      return "sha512";
    case ChecksumAlgorithm::kSha1:
      return "sha1";
    case ChecksumAlgorithm::kMd5:
      return "md5";
    case ChecksumAlgorithm::kCrc32:
      return "crc32";
  }
  return {};
}

std::optional<ChecksumAlgorithm> BestOf(std::vector<std::string> const& names) {
  for (auto const algorithm : kBestFirst) {
    if (std::find(names.begin(), names.end(), Name(algorithm)) != names.end()) return algorithm;
  }
  return std::nullopt;
}

class Hasher::State {
 public:
  explicit State(ChecksumAlgorithm algorithm) {
    auto const* const digest = DigestOf(algorithm);
    if (digest == nullptr) return;
    context_.reset(EVP_MD_CTX_new());
    good_ = context_ && EVP_DigestInit_ex(context_.get(), digest, nullptr) == 1;
    is_crc32_ = false;
  }

  void Update(std::span<std::byte const> bytes) {
    if (is_crc32_) {
      crc32_ = Crc32(crc32_, bytes);
    } else if (good_) {
      good_ = EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1;
    }
  }

  [[nodiscard]] std::string Digest() const {
    if (is_crc32_) {
      auto const value = ~crc32_;
      std::string digest;
      for (int shift = 24; shift >= 0; shift -= 8) digest += static_cast<char>(value >> shift);
      return digest;
    }
    Context const copy(EVP_MD_CTX_new());
    std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
    unsigned size = 0;
    // libcrypto fails only where it has no memory, or is configured without the algorithm; then
    // nothing that can be compared comes out.
    if (!good_ || !copy || EVP_MD_CTX_copy_ex(copy.get(), context_.get()) != 1 ||
        EVP_DigestFinal_ex(copy.get(), out.data(), &size) != 1) {
      return {};
    }
    return {out.begin(), out.begin() + size};
  }

 private:
  struct Deleter {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  using Context = std::unique_ptr<EVP_MD_CTX, Deleter>;

  Context context_;
  bool good_ = false;
  bool is_crc32_ = true;
  std::uint32_t crc32_ = ~std::uint32_t{0};
};

Hasher::Hasher(ChecksumAlgorithm algorithm) : state_(std::make_unique<State>(algorithm)) {}
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;
Hasher::~Hasher() = default;

void Hasher::Update(std::span<std::byte const> bytes) { state_->Update(bytes); }

std::string Hasher::Digest() const { return state_->Digest(); }

Result<std::string> DigestOf(DataSource& source, ChecksumAlgorithm algorithm, std::uint64_t offset,
                             std::uint64_t length, std::stop_token stop) {
  Hasher hasher(algorithm);
  std::vector<std::byte> block(static_cast<std::size_t>(std::min<std::uint64_t>(length, kBlock)));
  while (length > 0) {
    if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "the request was cancelled");
    auto const wanted = static_cast<std::size_t>(std::min<std::uint64_t>(length, block.size()));
    auto const count = source.ReadAt(offset, std::span(block).first(wanted));
    if (!count) return Fail(ErrorCode::kSource, count.error().message);
    if (*count == 0 || *count > wanted) {
      return Fail(ErrorCode::kSource,
                  "the source ended " + std::to_string(length) + " bytes before its end");
    }
    hasher.Update(std::span(block).first(*count));
    offset += *count;
    length -= *count;
  }
  auto digest = hasher.Digest();
  if (digest.empty()) {
    return Fail(ErrorCode::kInvalidArgument,
                "libcrypto cannot compute " + std::string(Name(algorithm)));
  }
  return digest;
}

}  // namespace tus
