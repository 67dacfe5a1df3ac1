// The hashes of ASC MHL: what other programs say of the same bytes.
#include "mhl/hashes.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace tusfs {
namespace {

std::string HashOf(HashFormat format, std::string const& bytes) {
  MediaHasher hasher(format);
  auto const half = std::as_bytes(std::span(bytes)).first(bytes.size() / 2);
  hasher.Update(half);
  hasher.Update(std::as_bytes(std::span(bytes)).subspan(half.size()));
  return hasher.Take().value_or("none");
}

TEST(HashesTest, AreWhatOtherProgramsSay) {
  std::map<HashFormat, std::string> const expected{
      {HashFormat::kXxh64, "44bc2cf5ad770999"},
      {HashFormat::kXxh3, "78af5f94892f3950"},
      {HashFormat::kXxh128, "06b05ab6733a618578af5f94892f3950"},
      {HashFormat::kMd5, "900150983cd24fb0d6963f7d28e17f72"},
      {HashFormat::kSha1, "a9993e364706816aba3e25717850c26c9cd0d89d"}};
  for (auto const& [format, hash] : expected) EXPECT_EQ(HashOf(format, "abc"), hash);
}

// The example of the C4 framework's documents.
TEST(HashesTest, C4IsBase58OfASha512) {
  EXPECT_EQ(
      HashOf(HashFormat::kC4, ""),
      "c459dsjfscH38cYeXXYogktxf4Cd9ibshE3BHUo6a58hBXmRQdZrAkZzsWcbWtDg5oQstpDuni4Hirj75GEmTc1sF"
      "T");
}

TEST(HashesTest, EachHasItsName) {
  for (auto const format : kHashFormats) EXPECT_EQ(HashFormatOf(NameOf(format)), format);
  EXPECT_FALSE(HashFormatOf("crc32"));
}

TEST(HashesTest, OfAnUploadTheXxHashesAreKnown) {
  WholeDigests const digests{.xxh128 = "\x01", .xxh3 = "\x02", .sha256 = "\x03", .xxh64 = "\x04"};
  EXPECT_EQ(KnownHash(digests, HashFormat::kXxh128), "01");
  EXPECT_EQ(KnownHash(digests, HashFormat::kXxh3), "02");
  EXPECT_EQ(KnownHash(digests, HashFormat::kXxh64), "04");
  EXPECT_FALSE(KnownHash(digests, HashFormat::kMd5));
  EXPECT_FALSE(KnownHash({}, HashFormat::kXxh64));
}

}  // namespace
}  // namespace tusfs
