// FileDigest: the digests of a whole file whose bytes go by in pieces, some of them twice.
#include "base/file_digest.h"

#include <gmock/gmock.h>
#include <xxhash.h>

#include "testing/digest.h"
#include "testing/files.h"

namespace tusfs {
namespace {

using testing::IsEmpty;
using tusfs_testing::RandomBytes;

std::span<std::byte const> Part(std::string const& bytes, std::size_t begin, std::size_t end) {
  return std::as_bytes(std::span(bytes)).subspan(begin, end - begin);
}

TEST(FileDigestTest, IsWhatOtherProgramsSay) {
  FileDigest digest(true);
  std::string const text = "abc";
  digest.Pass(0, Part(text, 0, 3));
  auto const digests = digest.Digests(3);
  EXPECT_EQ(Hex(digests.sha256),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Hex(digests.xxh128), "06b05ab6733a618578af5f94892f3950");
  EXPECT_EQ(Hex(digests.xxh3), "78af5f94892f3950");
  EXPECT_EQ(Hex(digests.xxh64), "44bc2cf5ad770999");
}

TEST(FileDigestTest, BytesThatAreSentTwiceCountOnce) {
  auto const bytes = RandomBytes(3'000'000);
  FileDigest whole(true);
  whole.Pass(0, Part(bytes, 0, bytes.size()));
  FileDigest parts(true);
  parts.Pass(0, Part(bytes, 0, 1'000'000));
  parts.Pass(400'000, Part(bytes, 400'000, 2'000'000));
  parts.Pass(0, Part(bytes, 0, 10));
  parts.Pass(2'000'000, Part(bytes, 2'000'000, bytes.size()));
  EXPECT_EQ(parts.Digests(bytes.size()), whole.Digests(bytes.size()));
  auto const short_one = XXH3_64bits(bytes.data(), bytes.size());
  XXH64_canonical_t canonical;
  XXH64_canonicalFromHash(&canonical, short_one);
  EXPECT_EQ(whole.Digests(bytes.size()).xxh3,
            std::string(reinterpret_cast<char const*>(canonical.digest), 8));
}

TEST(FileDigestTest, BehindAGapNothingIsKnown) {
  auto const bytes = RandomBytes(1000);
  FileDigest digest(true);
  digest.Pass(10, Part(bytes, 10, 1000));
  EXPECT_EQ(digest.Digests(1000), WholeDigests{});
}

TEST(FileDigestTest, WithoutSha256ThereIsTheOtherOne) {
  FileDigest digest(false);
  EXPECT_THAT(digest.Digests(0).sha256, IsEmpty());
  EXPECT_EQ(Hex(digest.Digests(0).xxh128), "99aa06d3014798d86001c324468d497f");
}

}  // namespace
}  // namespace tusfs
