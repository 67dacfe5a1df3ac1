#include "mhl/hashes.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace tusfs {
namespace {

constexpr std::string_view kBase58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
constexpr std::size_t kC4Digits = 88;

EVP_MD const* MethodOf(HashFormat format) {
  switch (format) {
    case HashFormat::kMd5:
      return EVP_md5();
    case HashFormat::kSha1:
      return EVP_sha1();
    case HashFormat::kC4:
      return EVP_sha512();
    case HashFormat::kXxh64:
    case HashFormat::kXxh3:
    case HashFormat::kXxh128:
      break;
  }
  return nullptr;
}

}  // namespace

std::string_view NameOf(HashFormat format) {
  switch (format) {
    case HashFormat::kXxh64:
      return "xxh64";
    case HashFormat::kXxh3:
      return "xxh3";
    case HashFormat::kXxh128:
      return "xxh128";
    case HashFormat::kMd5:
      return "md5";
    case HashFormat::kSha1:
      return "sha1";
    case HashFormat::kC4:
      return "c4";
  }
  return "";
}

std::optional<HashFormat> HashFormatOf(std::string_view name) {
  auto const* const found =
      std::ranges::find(kHashFormats, name, [](HashFormat format) { return NameOf(format); });
  return found == kHashFormats.end() ? std::nullopt : std::optional(*found);
}

std::optional<std::string> KnownHash(WholeDigests const& digests, HashFormat format) {
  auto const known = [](std::string const& digest) {
    return digest.empty() ? std::nullopt : std::optional(Hex(digest));
  };
  switch (format) {
    case HashFormat::kXxh64:
      return known(digests.xxh64);
    case HashFormat::kXxh3:
      return known(digests.xxh3);
    case HashFormat::kXxh128:
      return known(digests.xxh128);
    case HashFormat::kMd5:
    case HashFormat::kSha1:
    case HashFormat::kC4:
      break;
  }
  return std::nullopt;
}

struct MediaHasher::State {
  explicit State(HashFormat of) : format(of) {
    auto const* const method = MethodOf(of);
    if (method == nullptr) return;
    context.reset(EVP_MD_CTX_new());
    works = context && EVP_DigestInit_ex(context.get(), method, nullptr) == 1;
  }

  HashFormat const format;
  FileDigest xxhash{false};
  std::uint64_t size = 0;  ///< bytes
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{nullptr, EVP_MD_CTX_free};
  bool works = false;
};

MediaHasher::MediaHasher(HashFormat format) : state_(std::make_unique<State>(format)) {}
MediaHasher::~MediaHasher() = default;

void MediaHasher::Update(std::span<std::byte const> bytes) {
  auto& state = *state_;
  if (state.works) {
    state.works = EVP_DigestUpdate(state.context.get(), bytes.data(), bytes.size()) == 1;
  } else if (!state.context) {
    state.xxhash.Pass(state.size, bytes);
  }
  state.size += bytes.size();
}

std::optional<std::string> MediaHasher::Take() {
  auto& state = *state_;
  if (!state.context) return KnownHash(state.xxhash.Digests(state.size), state.format);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  bool const is_made =
      state.works && EVP_DigestFinal_ex(state.context.get(), digest.data(), &length) == 1;
  if (!is_made) return std::nullopt;
  std::string const bytes(reinterpret_cast<char const*>(digest.data()), length);
  return state.format == HashFormat::kC4 ? C4Of(bytes) : Hex(bytes);
}

std::string C4Of(std::string_view sha512) {
  std::vector<unsigned> number(sha512.size());
  std::ranges::transform(sha512, number.begin(),
                         [](char c) { return static_cast<unsigned char>(c); });
  std::string digits;
  while (digits.size() < kC4Digits) {
    unsigned rest = 0;
    for (auto& byte : number) {
      auto const value = rest * 256 + byte;
      byte = value / 58;
      rest = value % 58;
    }
    digits += kBase58[rest];
  }
  std::ranges::reverse(digits);
  return "c4" + digits;
}

}  // namespace tusfs
