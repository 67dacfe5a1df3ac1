// Proofs: those of earlier releases are read, and a server's URL has no secret in it.
#include "catalog/proof_record.h"

#include <gmock/gmock.h>

namespace tusfs {
namespace {

TEST(ProofRecord, AServerIsNamedWithoutWhatMayBeSecret) {
  EXPECT_EQ(ServerOf("http://tus:1080/files/"), "http://tus:1080/files/");
  EXPECT_EQ(ServerOf("https://u:p@tus/files/?token=s#f"), "https://tus/files/");
  EXPECT_EQ(ServerOf("https://***@tus/files/?***"), "https://tus/files/");
  EXPECT_EQ(ServerOf("https://u:p?q@tus/"), "https://tus/");
  EXPECT_EQ(ServerOf("https://tus/a@b/"), "https://tus/a@b/");
  EXPECT_EQ(ServerOf(""), "");
}

TEST(ProofRecord, ThoseOfEarlierReleasesAreRead) {
  Proof proof;
  proof.path = "a";
  proof.reason = "why";
  auto bytes = Encode(proof);
  Proof read;
  read.server = "left over";
  read.digests.xxh64 = "left over";
  bytes.resize(bytes.size() - sizeof(std::uint32_t));
  bytes[0] = 2;
  ASSERT_TRUE(DecodeProof(bytes, read));
  EXPECT_EQ(read.server, "");
  bytes.resize(bytes.size() - sizeof(std::uint32_t));
  bytes[0] = 1;
  ASSERT_TRUE(DecodeProof(bytes, read));
  EXPECT_EQ(read.digests.xxh64, "");
  EXPECT_EQ(read.reason, "why");
  bytes[0] = 99;
  EXPECT_FALSE(DecodeProof(bytes, read));
}

}  // namespace
}  // namespace tusfs
