#include "testing/digest.h"

#include <openssl/evp.h>

#include <cstdint>

namespace tusfs_testing {
namespace {

/// Bit by bit, as the definition has it: slow and easy to believe.
std::string Crc32(std::string_view bytes) {
  std::uint32_t crc = 0xFFFFFFFFU;
  for (char const c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1U) != 0 ? 0xEDB88320U : 0U);
  }
  crc = ~crc;
  std::string digest;
  for (int shift = 24; shift >= 0; shift -= 8) digest += static_cast<char>(crc >> shift & 0xFFU);
  return digest;
}

EVP_MD const* Algorithm(std::string_view name) {
  if (name == "sha1") return EVP_sha1();
  if (name == "md5") return EVP_md5();
  if (name == "sha256") return EVP_sha256();
  return name == "sha512" ? EVP_sha512() : nullptr;
}

}  // namespace

std::optional<std::string> DigestOf(std::string_view algorithm, std::string_view bytes) {
  if (algorithm == "crc32") return Crc32(bytes);
  auto const* const evp = Algorithm(algorithm);
  if (evp == nullptr) return std::nullopt;
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  unsigned length = 0;
  EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()), &length,
             evp, nullptr);
  digest.resize(length);
  return digest;
}

}  // namespace tusfs_testing
