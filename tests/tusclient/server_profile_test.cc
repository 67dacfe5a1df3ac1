// ServerProfile: announcements, what behaviour makes of them, and the size of bodies.
#include "tusclient/server_profile.h"

#include <gtest/gtest.h>

namespace tus {
namespace {

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = 1024 * kKiB;
using std::chrono::seconds;

ServerProfile Unlimited() { return ServerProfile({.size = ChunkRules::kUnlimited}); }

TEST(ServerProfile, KnowsNothingBeforeItIsTold) {
  ServerProfile profile;
  EXPECT_FALSE(profile.Info());
  EXPECT_FALSE(profile.MayDefer());
  EXPECT_FALSE(profile.Checksum());
  EXPECT_FALSE(profile.MaxSize());
}

TEST(ServerProfile, OneRefusedBodyIsForgottenWhenEnoughOfTheNextLengthWereTaken) {
  ServerProfile profile({.size = 8 * kMiB});
  profile.Measured(8 * kMiB, std::chrono::milliseconds(1));
  for (std::uint64_t length = 8 * kMiB; profile.TooLarge(length);) length = profile.MaxBody();
  EXPECT_EQ(profile.MaxBody(), 64 * kKiB);
  int bodies = 0;
  for (; profile.MaxBody() < 8 * kMiB && bodies < 10'000; ++bodies) {
    profile.Measured(profile.NextChunk(0), std::chrono::microseconds(1));
  }
  EXPECT_GT(bodies, 100) << "and not at once";
  EXPECT_EQ(profile.NextChunk(0), 8 * kMiB);
}

TEST(ServerProfile, ALimitThatStandsIsTriedMoreAndMoreRarely) {
  ServerProfile profile({.size = 8 * kMiB});
  profile.Measured(8 * kMiB, std::chrono::milliseconds(1));
  int refused = 0;
  for (int body = 0; body < 2'000; ++body) {
    auto const length = profile.NextChunk(0);
    if (length <= kMiB) {
      profile.Measured(length, std::chrono::microseconds(1));
    } else {
      ++refused;
      EXPECT_TRUE(profile.TooLarge(length));
    }
  }
  EXPECT_LT(refused, 14);
}

TEST(ServerProfile, BodiesOfWhichNothingIsKeptBecomeSmaller) {
  ServerProfile profile({.size = 8 * kMiB});
  auto const first = profile.NextChunk(0);
  profile.NothingKept(first / 2);
  EXPECT_EQ(profile.NextChunk(0), first / 4);
  for (int i = 0; i < 20; ++i) profile.NothingKept(profile.NextChunk(0));
  EXPECT_EQ(profile.NextChunk(0), 64 * kKiB);
}

TEST(ServerProfile, BelievesBehaviourMoreThanAnnouncements) {
  ServerProfile profile;
  profile.Announced({.creation_defer_length = true, .checksum_algorithms = {"sha1"}});
  EXPECT_TRUE(profile.MayDefer());
  EXPECT_EQ(profile.Checksum(), ChecksumAlgorithm::kSha1);
  EXPECT_TRUE(profile.DeferRefused());
  EXPECT_TRUE(profile.ChecksumRefused());
  EXPECT_FALSE(profile.DeferRefused()) << "no news any more";
  EXPECT_FALSE(profile.ChecksumRefused());
  profile.Announced({.creation_defer_length = true, .checksum_algorithms = {"sha1"}});
  EXPECT_FALSE(profile.MayDefer());
  EXPECT_FALSE(profile.Checksum());
}

TEST(ServerProfile, DoesNotBelieveThatDeferringStoppedWorking) {
  ServerProfile profile;
  profile.Announced({.creation_defer_length = true});
  profile.DeferWorked();
  EXPECT_FALSE(profile.DeferRefused());
  EXPECT_TRUE(profile.MayDefer());
}

TEST(ServerProfile, BeginsWithABodyThatASlowLinkCanBear) {
  EXPECT_EQ(ServerProfile().NextChunk(0), kMiB);
  EXPECT_EQ(ServerProfile({.size = 4}).NextChunk(0), 4U);
}

TEST(ServerProfile, NoBodyTakesMoreThanTwoMinutesAtHalfTheRate) {
  auto profile = Unlimited();
  for (std::uint64_t const rate : {std::uint64_t{62'500}, kMiB, 100 * kMiB}) {
    for (int i = 0; i < 40; ++i) profile.Measured(rate * 10, seconds(10));
    auto const body = profile.NextChunk(0);
    EXPECT_LE(body / (rate / 2), 120U);
    EXPECT_GE(body / rate, 55U) << "and no shorter than that takes";
  }
}

TEST(ServerProfile, MakesBodiesLongerOfWhatIsAllThere) {
  ServerProfile profile({.size = 32 * kMiB, .longer = 1024 * kMiB});
  EXPECT_EQ(profile.NextLongChunk(0), profile.NextChunk(0)) << "before anything is measured";
  for (int i = 0; i < 40; ++i) profile.Measured(50 * kMiB, seconds(1));
  EXPECT_EQ(profile.NextChunk(0), 32 * kMiB);
  EXPECT_EQ(profile.NextLongChunk(0), 200 * kMiB) << "four times what is known";
  profile.Measured(200 * kMiB, seconds(4));
  EXPECT_EQ(profile.NextLongChunk(0), 500 * kMiB) << "ten seconds";
  for (int i = 0; i < 60; ++i) profile.Measured(500 * kMiB, seconds(1));
  EXPECT_EQ(profile.NextLongChunk(0), 1024 * kMiB);
  profile.Measured(kMiB, seconds(1));
  EXPECT_EQ(profile.NextLongChunk(0), profile.NextChunk(0)) << "on a slow link";
}

TEST(ServerProfile, MakesNoLongBodiesAgainstTheRulesOrTheServer) {
  auto const fast = [](ChunkRules const& rules) {
    ServerProfile profile(rules);
    for (int i = 0; i < 60; ++i) profile.Measured(500 * kMiB, seconds(1));
    return profile.NextLongChunk(0);
  };
  EXPECT_EQ(fast({.size = 8 * kMiB}), 8 * kMiB);
  EXPECT_EQ(fast({.size = 6 * kMiB, .longer = 1024 * kMiB, .exact = true}), 6 * kMiB);
  EXPECT_EQ(fast({.size = 8 * kMiB, .longer = 100'000'000, .multiple = kMiB}), 95 * kMiB);
  ServerProfile refusing({.size = 32 * kMiB, .longer = 1024 * kMiB});
  for (int i = 0; i < 60; ++i) refusing.Measured(500 * kMiB, seconds(1));
  EXPECT_TRUE(refusing.TooLarge(1024 * kMiB));
  EXPECT_EQ(refusing.NextLongChunk(0), 512 * kMiB);
}

TEST(ServerProfile, BelievesASlowerNetworkAtOnce) {
  auto profile = Unlimited();
  for (int i = 0; i < 40; ++i) profile.Measured(100 * kMiB, seconds(1));
  profile.Measured(kMiB, seconds(1));
  EXPECT_EQ(profile.Rate(), kMiB);
  profile.Measured(100, seconds(1));
  EXPECT_EQ(profile.Rate(), kMiB) << "too little to measure by";
}

TEST(ServerProfile, GoesToSmallBodiesAndNotToTiny) {
  auto profile = Unlimited();
  profile.Measured(kMiB, seconds(100'000));
  EXPECT_EQ(profile.NextChunk(0), 64 * kKiB);
}

TEST(ServerProfile, HalvesWhatWasTooLarge) {
  ServerProfile profile({.size = 32 * kMiB});
  for (int i = 0; i < 40; ++i) profile.Measured(kMiB * 100, seconds(1));
  EXPECT_EQ(profile.NextChunk(0), 32 * kMiB);
  EXPECT_TRUE(profile.TooLarge(32 * kMiB));
  EXPECT_EQ(profile.NextChunk(0), 16 * kMiB);
  EXPECT_TRUE(profile.TooLarge(100 * kKiB)) << "the end of a file";
  EXPECT_EQ(profile.NextChunk(0), 64 * kKiB);
  EXPECT_FALSE(profile.TooLarge(64 * kKiB));
}

TEST(ServerProfile, KeepsToTheRules) {
  ServerProfile cloudflare({.size = 50 * kMiB, .multiple = 256 * kKiB, .least = 5 * kMiB});
  EXPECT_EQ(cloudflare.NextChunk(0), 5 * kMiB) << "however slow";
  for (int i = 0; i < 40; ++i) cloudflare.Measured(333'333, seconds(1));
  EXPECT_EQ(cloudflare.NextChunk(0) % (256 * kKiB), 0U);
  EXPECT_GT(cloudflare.NextChunk(0), 5 * kMiB);
  EXPECT_TRUE(cloudflare.TooLarge(50 * kMiB));
  EXPECT_FALSE(cloudflare.TooLarge(5 * kMiB));
}

TEST(ServerProfile, SendsMultiplesHoweverSmallTheLeast) {
  for (std::uint64_t const least : {0U, 1U}) {
    ServerProfile const profile({.size = 8 * kMiB, .multiple = 2 * kMiB, .least = least});
    EXPECT_EQ(profile.NextChunk(0), 2 * kMiB) << least;
  }
}

TEST(ServerProfile, DoesNotTryTheSmallestMultipleTwice) {
  ServerProfile profile({.size = 1000 * kKiB, .multiple = 100 * kKiB, .least = 150 * kKiB});
  while (profile.NextChunk(0) > 200 * kKiB) {
    auto const refused = profile.NextChunk(0);
    ASSERT_TRUE(profile.TooLarge(refused));
    ASSERT_LT(profile.NextChunk(0), refused);
  }
  EXPECT_EQ(profile.NextChunk(0), 200 * kKiB);
  EXPECT_FALSE(profile.TooLarge(200 * kKiB));
}

TEST(ServerProfile, EndsExactBodiesAtTheirMultiples) {
  ServerProfile supabase({.size = 6 * kMiB, .exact = true});
  EXPECT_EQ(supabase.NextChunk(0), 6 * kMiB);
  EXPECT_EQ(supabase.NextChunk(12 * kMiB), 6 * kMiB);
  EXPECT_EQ(supabase.NextChunk(7 * kMiB), 5 * kMiB);
  EXPECT_FALSE(supabase.TooLarge(6 * kMiB));
}

TEST(ChunkRules, SayWhatContradicts) {
  EXPECT_TRUE(ChunkRules{}.Check());
  for (auto const& rules :
       {ChunkRules{.size = 0}, ChunkRules{.multiple = 0}, ChunkRules{.size = 10, .multiple = 11},
        ChunkRules{.size = 10, .least = 11}, ChunkRules{.size = 10, .multiple = 3, .exact = true},
        ChunkRules{.size = 10, .multiple = 4, .least = 9}, ChunkRules{.size = UINT64_MAX},
        ChunkRules{.longest = seconds(0)}}) {
    auto const checked = rules.Check();
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().code, ErrorCode::kInvalidArgument);
    EXPECT_FALSE(checked.error().message.empty());
  }
}

}  // namespace
}  // namespace tus
