// WrittenDigests: a digest that is known is that of the bytes; anything else is not known.
#include "spool/written_digests.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "testing/files.h"

namespace tusfs {
namespace {

using tusfs_testing::RandomBytes;

BlockDigest DigestOf(std::string_view bytes) {
  BlockHasher hasher;
  hasher.Update(std::as_bytes(std::span(bytes)));
  return hasher.Digest();
}

class WrittenDigestsTest : public testing::Test {
 protected:
  void Write(std::uint64_t offset, std::string const& bytes) {
    if (image_.size() < offset + bytes.size()) image_.resize(offset + bytes.size());
    image_.replace(offset, bytes.size(), bytes);
    digests_.Wrote(offset, std::as_bytes(std::span(bytes)));
  }

  void Resize(std::uint64_t size) {
    digests_.Changed(std::min<std::uint64_t>(size, image_.size()),
                     std::max<std::uint64_t>(size, image_.size()));
    image_.resize(size);
  }

  /// How many blocks are known; what is known has to be right.
  int Known() {
    int known = 0;
    for (std::uint64_t block = 0; block * kDigestBlock < image_.size(); ++block) {
      auto const digest = digests_.Find(block);
      if (!digest) continue;
      ++known;
      EXPECT_EQ(*digest,
                DigestOf(std::string_view(image_).substr(block * kDigestBlock, kDigestBlock)))
          << "block " << block;
    }
    return known;
  }

  WrittenDigests digests_;
  std::string image_;
};

TEST_F(WrittenDigestsTest, BlocksThatAreWrittenInOrderAreKnown) {
  for (std::uint64_t at = 0; at < 9'000'000; at += 100'000) Write(at, RandomBytes(100'000, at));
  EXPECT_EQ(Known(), 2);
}

TEST_F(WrittenDigestsTest, ABlockThatIsWrittenOverIsNotKnownUntilItIsWrittenInOrderAgain) {
  Write(0, RandomBytes(2 * kDigestBlock, 1));
  Write(100, "x");
  EXPECT_EQ(Known(), 1);
  Write(0, RandomBytes(kDigestBlock, 2));
  EXPECT_EQ(Known(), 2);
}

TEST_F(WrittenDigestsTest, ABlockThatIsWrittenOverInOrderIsNotKnownBeforeItsEnd) {
  Write(0, RandomBytes(3 * kDigestBlock, 1));
  Write(0, RandomBytes(kDigestBlock, 2));
  EXPECT_EQ(Known(), 3);
  Write(kDigestBlock, RandomBytes(100, 3));
  EXPECT_EQ(Known(), 2);
  Write(kDigestBlock + 100, RandomBytes(kDigestBlock, 4));
  EXPECT_EQ(Known(), 2) << "its end is the beginning of the next one";
}

TEST_F(WrittenDigestsTest, AWriteBehindAHoleIsFollowedFromItsNextBlockOn) {
  Write(3'000'000, RandomBytes(6'000'000, 1));
  EXPECT_EQ(Known(), 1);
}

TEST_F(WrittenDigestsTest, WhatWasCutOffIsForgotten) {
  Write(0, RandomBytes(3 * kDigestBlock, 1));
  Resize(kDigestBlock + 1);
  Resize(3 * kDigestBlock);
  EXPECT_EQ(Known(), 1);
}

TEST_F(WrittenDigestsTest, WhateverIsWrittenNoDigestIsEverWrong) {
  auto const seed = std::random_device{}();
  RecordProperty("seed", std::to_string(seed));
  std::mt19937_64 random(seed);
  std::uint64_t next = 0;
  int known = 0;
  for (int i = 0; i < 400; ++i) {
    switch (random() % 8) {
      case 0:
        next = random() % (4 * kDigestBlock);
        break;
      case 1:
        next = random() % 4 * kDigestBlock;
        break;
      case 2:
        Resize(random() % (4 * kDigestBlock));
        break;
      default:
        break;
    }
    auto const bytes = RandomBytes(1 + random() % 1'500'000, random());
    Write(next, bytes);
    next += bytes.size();
    if (next > 5 * kDigestBlock) next = 0;
    if (i % 10 == 0) known += Known();
  }
  EXPECT_GT(known, 0) << "seed " << seed;
}

}  // namespace
}  // namespace tusfs
