// Checksums: known answers, and what a server's list leads to.
#include "tusclient/checksum.h"

#include <gtest/gtest.h>

#include <numeric>

namespace tus {
namespace {

std::string Hex(std::string const& bytes) {
  std::string hex;
  for (auto const c : bytes) {
    hex += "0123456789abcdef"[static_cast<unsigned char>(c) >> 4];
    hex += "0123456789abcdef"[static_cast<unsigned char>(c) & 15];
  }
  return hex;
}

std::string Digest(ChecksumAlgorithm algorithm, std::string const& text) {
  Hasher hasher(algorithm);
  hasher.Update(std::as_bytes(std::span(text)));
  return Hex(hasher.Digest());
}

TEST(Checksum, KnowsTheAnswersOfTheStandards) {
  EXPECT_EQ(Digest(ChecksumAlgorithm::kCrc32, "123456789"), "cbf43926");
  EXPECT_EQ(Digest(ChecksumAlgorithm::kMd5, "abc"), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(Digest(ChecksumAlgorithm::kSha1, "abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
  EXPECT_EQ(Digest(ChecksumAlgorithm::kSha256, "abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Digest(ChecksumAlgorithm::kSha512, "abc").substr(0, 32),
            "ddaf35a193617abacc417349ae204131");
  EXPECT_EQ(Digest(ChecksumAlgorithm::kCrc32, ""), "00000000");
}

TEST(Checksum, IsTheSameHoweverTheBytesCome) {
  std::string text(1000, '\0');
  std::iota(text.begin(), text.end(), '\0');
  for (auto const algorithm : {ChecksumAlgorithm::kCrc32, ChecksumAlgorithm::kSha256}) {
    Hasher hasher(algorithm);
    for (std::size_t at = 0, step = 0; at < text.size(); at += step) {
      step = std::min(step + 1, text.size() - at);
      hasher.Update(std::as_bytes(std::span(text)).subspan(at, step));
      static_cast<void>(hasher.Digest());
    }
    EXPECT_EQ(Hex(hasher.Digest()), Digest(algorithm, text));
  }
}

TEST(Checksum, BestIsWhatCannotBeForged) {
  EXPECT_EQ(BestOf({"crc32", "md5", "sha1", "sha512"}), ChecksumAlgorithm::kSha512);
  EXPECT_EQ(BestOf({"sha512", "sha256"}), ChecksumAlgorithm::kSha256);
  EXPECT_EQ(BestOf({"crc32", "md5"}), ChecksumAlgorithm::kMd5);
  EXPECT_EQ(BestOf({"SHA1", "xxh3"}), std::nullopt);
  EXPECT_EQ(BestOf({}), std::nullopt);
}

TEST(Checksum, OfASourceReadsExactlyItsPart) {
  std::string const text = "xxabcyy";
  MemorySource source(std::as_bytes(std::span(text)));
  EXPECT_EQ(Hex(DigestOf(source, ChecksumAlgorithm::kMd5, 2, 3).value()),
            "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(DigestOf(source, ChecksumAlgorithm::kMd5, 2, 6).error().code, ErrorCode::kSource);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(DigestOf(source, ChecksumAlgorithm::kMd5, 2, 3, stop.get_token()).error().code,
            ErrorCode::kCancelled);
}

}  // namespace
}  // namespace tus
