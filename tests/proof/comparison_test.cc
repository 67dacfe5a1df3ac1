// SourceComparison: thirty situations of a card, and what is said of each. All but "on the server"
// keep the card.
#include "proof/comparison.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "base/fakes.h"
#include "proof/ledger_rows.h"
#include "testing/files.h"

namespace tusfs {
namespace {

using testing::HasSubstr;
using testing::SizeIs;
using tusfs_testing::RandomBytes;
using tusfs_testing::WriteFile;

constexpr auto kBlock = static_cast<std::size_t>(kDigestBlock);

std::vector<BlockDigest> BlocksOfBytes(std::string const& bytes) {
  std::vector<BlockDigest> blocks;
  for (std::size_t at = 0; at < bytes.size(); at += kBlock) {
    BlockHasher hasher;
    hasher.Update(std::as_bytes(std::span(bytes)).subspan(at, std::min(kBlock, bytes.size() - at)));
    blocks.push_back(hasher.Digest());
  }
  return blocks;
}

class ComparisonTest : public testing::Test {
 protected:
  // A file of the card.
  void OnCard(std::string const& path, std::string const& bytes) {
    std::filesystem::create_directories((card_ / path).parent_path());
    WriteFile(card_ / path, bytes);
  }

  // What the ledger has of a path.
  KnownFile& InLedger(std::string const& path, std::string const& bytes,
                      Fate fate = Fate::kUploaded) {
    KnownFile file{.proof = ProofOf(path, fate), .blocks = BlocksOfBytes(bytes)};
    file.proof.size = bytes.size();
    file.proof.root = RootOf(file.blocks);
    return known_.files[path] = std::move(file);
  }

  void InMount(std::string const& path, std::string state, std::string error = {}) {
    known_.unfinished[path] = {std::move(state), std::move(error)};
  }

  std::vector<ComparedFile> Compare(int jobs = 2) {
    auto entries = ListSource(card_);
    EXPECT_TRUE(Ok(entries));
    comparison_.emplace(*std::move(entries), known_, mappings_, counts_junk_);
    comparison_->Run(card_, jobs, [](std::uint64_t) {}, {});
    return comparison_->files();
  }

  FileVerdict VerdictOf(std::string const& path) {
    auto const files = Compare();
    auto const found = std::ranges::find(files, path, [](auto const& f) { return f.entry.path; });
    EXPECT_NE(found, files.end()) << path;
    return found == files.end() ? FileVerdict{} : found->verdict;
  }

  void Expect(CardFinding finding, char const* why) {
    auto const verdict = VerdictOf("a");
    EXPECT_EQ(NameOf(verdict.finding), NameOf(finding)) << verdict.why;
    EXPECT_THAT(verdict.why, HasSubstr(why));
  }

  tusfs_testing::TempDir const dir_;
  std::filesystem::path const card_ = dir_ / "card";
  KnownTree known_;
  std::vector<PathMapping> mappings_;
  bool counts_junk_ = false;
  std::optional<SourceComparison> comparison_;
};

// ---- what is safe

TEST_F(ComparisonTest, SameBytesConfirmedByTheOffset) {
  OnCard("a", "bytes");
  InLedger("a", "bytes");
  Expect(CardFinding::kOnServer, "");
}

TEST_F(ComparisonTest, SameBytesProvedByHeadOrDownload) {
  OnCard("a", "bytes");
  for (auto const proved : {ProvedBy::kHead, ProvedBy::kDownload}) {
    InLedger("a", "bytes").proof.proved = proved;
    Expect(CardFinding::kOnServer, "");
  }
}

TEST_F(ComparisonTest, ManyBlocksOfManyFiles) {
  auto const bytes = RandomBytes(2 * kBlock + 17);
  for (int i = 0; i < 9; ++i) {
    auto const path = "d/" + std::to_string(i);
    OnCard(path, bytes.substr(static_cast<std::size_t>(i) * 1000));
    InLedger(path, bytes.substr(static_cast<std::size_t>(i) * 1000));
  }
  for (auto const& file : Compare(4)) {
    EXPECT_EQ(file.verdict.finding, CardFinding::kOnServer) << file.verdict.why;
  }
}

TEST_F(ComparisonTest, AnEmptyFile) {
  OnCard("a", "");
  InLedger("a", "");
  Expect(CardFinding::kOnServer, "");
}

TEST_F(ComparisonTest, TheDigestsOfTheBlocksMayHaveGoneWhereTheirRootIsKept) {
  OnCard("a", "bytes");
  InLedger("a", "bytes").blocks.clear();
  Expect(CardFinding::kOnServer, "");
}

TEST_F(ComparisonTest, TwoFilesOfOneContentEachUnderItsOwnName) {
  OnCard("a", "bytes");
  OnCard("b", "bytes");
  InLedger("a", "bytes");
  EXPECT_EQ(VerdictOf("a").finding, CardFinding::kOnServer);
  EXPECT_EQ(VerdictOf("b").finding, CardFinding::kMissing)
      << "its content is there under another name";
}

TEST_F(ComparisonTest, ANameInAnotherFormOfUnicodeIsMatchedAndSaid) {
  OnCard("Cafe\xcc\x81", "bytes");
  InLedger("Caf\xc3\xa9", "bytes");
  auto const files = Compare();
  EXPECT_EQ(files[0].verdict.finding, CardFinding::kOnServer);
  EXPECT_TRUE(files[0].has_another_form);
  EXPECT_EQ(files[0].path, "Caf\xc3\xa9");
}

TEST_F(ComparisonTest, AnotherFolderInTheMountIsMapped) {
  OnCard("DCIM/100CANON/a", "bytes");
  InLedger("day1/A001/a", "bytes");
  mappings_ = {{"DCIM", "elsewhere"}, {"DCIM/100CANON", "day1/A001"}};
  EXPECT_EQ(VerdictOf("DCIM/100CANON/a").finding, CardFinding::kOnServer);
  mappings_ = {{"DCIM/100CAN", "day1/A001"}};
  EXPECT_EQ(VerdictOf("DCIM/100CANON/a").finding, CardFinding::kMissing)
      << "a beginning of a name is no folder";
}

TEST_F(ComparisonTest, JunkIsLeftOutUnlessItCounts) {
  OnCard(".DS_Store", "x");
  OnCard("a", "bytes");
  InLedger("a", "bytes");
  EXPECT_THAT(Compare(), SizeIs(1));
  EXPECT_THAT(comparison_->junk(), testing::ElementsAre(".DS_Store"));
  counts_junk_ = true;
  EXPECT_EQ(VerdictOf(".DS_Store").finding, CardFinding::kMissing);
}

// ---- what is different

TEST_F(ComparisonTest, OneBitInTheLastBlock) {
  auto bytes = RandomBytes(2 * kBlock + 5);
  InLedger("a", bytes);
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  OnCard("a", bytes);
  Expect(CardFinding::kDifferent, "from block 2 on (byte 8388608)");
}

TEST_F(ComparisonTest, OneBitInTheFirstBlock) {
  auto bytes = RandomBytes(kBlock + 5);
  InLedger("a", bytes);
  bytes[0] = static_cast<char>(bytes[0] ^ 1);
  OnCard("a", bytes);
  Expect(CardFinding::kDifferent, "from block 0 on (byte 0)");
}

TEST_F(ComparisonTest, OtherBytesOfWhichOnlyTheRootIsKnown) {
  OnCard("a", "other");
  InLedger("a", "bytes").blocks.clear();
  Expect(CardFinding::kDifferent, "other bytes");
}

TEST_F(ComparisonTest, ItHasGrownOnTheCard) {
  OnCard("a", "bytes and more");
  InLedger("a", "bytes");
  Expect(CardFinding::kDifferent, "it has 14 bytes, on the server 5");
}

TEST_F(ComparisonTest, ItIsShorterOnTheCard) {
  OnCard("a", "");
  InLedger("a", "bytes");
  Expect(CardFinding::kDifferent, "it has 0 bytes, on the server 5");
}

TEST_F(ComparisonTest, ACardOfAnotherProject) {
  OnCard("a", "this one's");
  InLedger("b", "that one's");
  Expect(CardFinding::kMissing, "");
}

// ---- what is not there yet, or waits

TEST_F(ComparisonTest, ItIsOnItsWay) {
  OnCard("a", "bytes");
  for (auto const* state : {"writing", "settling", "queued", "uploading"}) {
    InMount("a", state);
    Expect(CardFinding::kNotYet, state);
  }
}

TEST_F(ComparisonTest, WhatWasChangedInTheMountAfterItWasUploadedIsNotSafe) {
  OnCard("a", "bytes");
  InLedger("a", "bytes");
  InMount("a", "queued");
  Expect(CardFinding::kNotYet, "what the mount has under this name is not on the server");
}

TEST_F(ComparisonTest, ItsCopyWasInterrupted) {
  OnCard("a", "bytes");
  InMount("a", "interrupted", "its writer was killed");
  Expect(CardFinding::kHeldBack, "its writer was killed");
}

TEST_F(ComparisonTest, ItIsNeverUploaded) {
  OnCard("a", "bytes");
  InMount("a", "local-only", "ignored");
  Expect(CardFinding::kHeldBack, "ignored");
}

TEST_F(ComparisonTest, TheServerRefusesIt) {
  OnCard("a", "bytes");
  InMount("a", "failed", "413");
  Expect(CardFinding::kRejected, "413");
}

TEST_F(ComparisonTest, TheServerHadRefusedItBeforeItWent) {
  OnCard("a", "bytes");
  InLedger("a", "bytes", Fate::kRefused).proof.reason = "quota";
  Expect(CardFinding::kRejected, "quota");
}

// ---- what went before it was there

TEST_F(ComparisonTest, ItWasDiscardedDroppedOrRemoved) {
  OnCard("a", "bytes");
  InLedger("a", "bytes", Fate::kDiscarded);
  Expect(CardFinding::kMissing, "discarded");
  InLedger("a", "bytes", Fate::kDropped);
  Expect(CardFinding::kMissing, "make room");
  InLedger("a", "bytes", Fate::kRemoved);
  Expect(CardFinding::kMissing, "removed from the mount");
}

// ---- what nothing proves

TEST_F(ComparisonTest, APersonHasAcceptedIt) {
  OnCard("a", "bytes");
  InLedger("a", "bytes", Fate::kAccepted).proof.proved = ProvedBy::kPerson;
  Expect(CardFinding::kUnproven, "a person said");
}

TEST_F(ComparisonTest, NobodyKnowsWhetherItWasPublished) {
  OnCard("a", "bytes");
  InLedger("a", "bytes", Fate::kUnconfirmed);
  Expect(CardFinding::kUnproven, "nobody can tell");
  InMount("a", "unconfirmed");
  Expect(CardFinding::kUnproven, "unconfirmed");
}

TEST_F(ComparisonTest, OfAnOldUploadNoDigestsAreKnown) {
  OnCard("a", "bytes");
  auto& file = InLedger("a", "bytes");
  file.proof.root.clear();
  file.blocks.clear();
  Expect(CardFinding::kUnproven, "no digests");
}

TEST_F(ComparisonTest, ItIsOnAnotherServerThanTheMountsOwn) {
  OnCard("a", "bytes");
  auto& file = InLedger("a", "bytes");
  file.is_elsewhere = true;
  file.proof.server = "http://old/files/";
  Expect(CardFinding::kUnproven, "another server: http://old/files/");
}

TEST_F(ComparisonTest, TheLedgerIsDamagedBehindIt) {
  OnCard("a", "bytes");
  InLedger("a", "bytes").before_damage = true;
  Expect(CardFinding::kUnproven, "damaged");
}

TEST_F(ComparisonTest, NothingSaysHowTheServerCameToIt) {
  OnCard("a", "bytes");
  InLedger("a", "bytes").proof.proved = ProvedBy::kNothing;
  Expect(CardFinding::kUnproven, "");
}

TEST_F(ComparisonTest, TwoFilesOfTheCardThatWouldHaveOneName) {
  OnCard("x/a", "bytes");
  OnCard("y/a", "bytes");
  InLedger("a", "bytes");
  mappings_ = {{"x", ""}, {"y", ""}};
  for (auto const& file : Compare()) EXPECT_EQ(file.verdict.finding, CardFinding::kUnproven);
}

TEST_F(ComparisonTest, TwoFormsOfANameOnTheCardAreNotMatchedWithOne) {
  OnCard("Cafe\xcc\x81", "bytes");
  OnCard("Caf\xc3\xa9", "bytes");
  InLedger("Caf\xc3\xa9", "bytes");
  EXPECT_EQ(VerdictOf("Caf\xc3\xa9").finding, CardFinding::kOnServer);
  EXPECT_EQ(VerdictOf("Cafe\xcc\x81").finding, CardFinding::kMissing);
}

// ---- what cannot be read

TEST_F(ComparisonTest, ALinkIsNoFile) {
  std::filesystem::create_directories(card_);
  std::filesystem::create_symlink("/etc/passwd", card_ / "a");
  InLedger("a", "bytes");
  Expect(CardFinding::kUnreadable, "symbolic link");
}

TEST_F(ComparisonTest, ItGoesWhileItIsRead) {
  OnCard("a", "bytes");
  InLedger("a", "bytes");
  auto entries = ListSource(card_);
  ASSERT_TRUE(Ok(entries));
  std::filesystem::remove(card_ / "a");
  SourceComparison comparison(*std::move(entries), known_, {}, false);
  comparison.Run(card_, 1, [](std::uint64_t) {}, {});
  EXPECT_EQ(comparison.files()[0].verdict.finding, CardFinding::kUnreadable);
}

TEST_F(ComparisonTest, ItIsWrittenWhileItIsRead) {
  auto const bytes = RandomBytes(3 * kBlock);
  OnCard("a", bytes);
  InLedger("a", bytes);
  auto entries = ListSource(card_);
  ASSERT_TRUE(Ok(entries));
  SourceComparison comparison(*std::move(entries), known_, {}, false);
  bool is_changed = false;
  comparison.Run(card_, 1,
                 [&](std::uint64_t) {
                   if (std::exchange(is_changed, true)) return;
                   std::ofstream(card_ / "a", std::ios::app) << "more";
                 },
                 {});
  EXPECT_EQ(comparison.files()[0].verdict.finding, CardFinding::kChanging);
}

TEST_F(ComparisonTest, ItWasChangedBetweenTheListAndTheReadingWithItsOldSizeAndTime) {
  OnCard("a", "bytes");
  InLedger("a", "bytes");
  auto entries = ListSource(card_);
  ASSERT_TRUE(Ok(entries));
  auto const time = std::filesystem::last_write_time(card_ / "a");
  WriteFile(card_ / "a", "other");
  std::filesystem::last_write_time(card_ / "a", time);
  SourceComparison comparison(*std::move(entries), known_, {}, false);
  comparison.Run(card_, 1, [](std::uint64_t) {}, {});
  EXPECT_NE(comparison.files()[0].verdict.finding, CardFinding::kOnServer);
}

TEST_F(ComparisonTest, ReadingThatIsStoppedProvesNothing) {
  OnCard("a", "bytes");
  InLedger("a", "bytes");
  auto entries = ListSource(card_);
  ASSERT_TRUE(Ok(entries));
  SourceComparison comparison(*std::move(entries), known_, {}, false);
  std::stop_source stop;
  stop.request_stop();
  comparison.Run(
      card_, 1, [](std::uint64_t) {}, stop.get_token());
  EXPECT_EQ(comparison.files()[0].verdict.finding, CardFinding::kUnreadable);
}

}  // namespace
}  // namespace tusfs
