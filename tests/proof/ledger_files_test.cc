// The ledger's files: what was appended comes back, and what is damaged is said.
#include "proof/ledger_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "proof/ledger_rows.h"

namespace tusfs {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using tusfs_testing::ReadFile;
using tusfs_testing::WriteFile;

class LedgerFilesTest : public testing::Test {
 protected:
  LedgerWriter Open(LedgerWriter::Options const& options = {}) {
    auto writer = LedgerWriter::Open(ledger_, options, QuietLogger());
    EXPECT_TRUE(Ok(writer));
    return *std::move(writer);
  }

  void Append(std::vector<std::string> const& paths, LedgerWriter::Options const& options = {}) {
    auto writer = Open(options);
    for (auto const& path : paths) {
      ASSERT_TRUE(Ok(writer.Append({RowOf(path)})));
    }
  }

  tusfs_testing::TempDir const dir_;
  std::filesystem::path const ledger_ = dir_ / "ledger";
  std::filesystem::path const first_ = ledger_ / "00000001.rows";
};

TEST_F(LedgerFilesTest, EveryFieldComesBack) {
  Proof proof{.id = Uuid::Random(),
              .fate = Fate::kUnconfirmed,
              .proved = ProvedBy::kDownload,
              .inode = 7,
              .path = "a/\n\xff,\"b",
              .size = std::uint64_t{1} << 40,
              .modified = -5,
              .begun = 6,
              .at = 7,
              .upload = Uuid::Random(),
              .requests = 8,
              .sent = 9,
              .root = std::string(16, 'r'),
              .digests = {.xxh128 = "long", .xxh3 = "short", .sha256 = "sha", .xxh64 = "old"},
              .receipt = "h: v\n\nbody",
              .server = "http://tus/files/",
              .reason = "why"};
  std::vector<BlockDigest> const blocks{{.length = 4, .digest = {1, 2}},
                                        {.length = 3, .digest = {3, 4}}};
  ASSERT_TRUE(Ok(Open().Append({{proof, blocks}})));
  int rows = 0;
  auto const visited = VisitLedger(
      ledger_,
      [&](LedgerRow const& row) {
        ++rows;
        EXPECT_EQ(Encode(row.proof), Encode(proof));
        EXPECT_EQ(row.proof.digests, proof.digests);
        EXPECT_EQ(row.proof.path, proof.path);
        EXPECT_EQ(row.proof.server, proof.server);
        EXPECT_EQ(BlocksOf(row), blocks);
        return true;
      },
      [](LedgerDamage const&) { ADD_FAILURE() << "damage"; });
  EXPECT_TRUE(Ok(visited));
  EXPECT_EQ(rows, 1);
}

TEST_F(LedgerFilesTest, OtherUsersCannotReadIt) {
  Append({"a"});
  struct stat status {};
  ASSERT_EQ(::stat(ledger_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700U);
  ASSERT_EQ(::stat(first_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
}

TEST_F(LedgerFilesTest, ARowThatIsThereTwiceIsOne) {
  auto const row = RowOf("once");
  ASSERT_TRUE(Ok(Open().Append({row, RowOf("other")})));
  ASSERT_TRUE(Ok(Open().Append({row})));
  EXPECT_THAT(ReadAll(ledger_).paths, ElementsAre("once", "other"));
}

TEST_F(LedgerFilesTest, AFullFileIsFollowedByAnother) {
  Append({"a", "b", "c"}, {.largest = 1});
  EXPECT_TRUE(std::filesystem::exists(ledger_ / "00000003.rows"));
  EXPECT_THAT(ReadAll(ledger_).paths, ElementsAre("a", "b", "c"));
}

TEST_F(LedgerFilesTest, OnlyFilesThatAreOldEnoughGoAndNeverTheLast) {
  LedgerWriter::Options const options{.largest = 1, .keep = 1000};
  Append({"old", "new", "last"}, options);
  timespec const long_ago[2] = {{.tv_sec = 1000, .tv_nsec = 0}, {.tv_sec = 1000, .tv_nsec = 0}};
  for (auto const* name : {"00000001.rows", "00000003.rows"}) {
    ASSERT_EQ(::utimensat(AT_FDCWD, (ledger_ / name).c_str(), long_ago, 0), 0);
  }
  auto writer = Open(options);
  EXPECT_EQ(writer.RemoveOld(FileTime{2000} * 1'000'000'000).value(), 0) << "not old enough yet";
  EXPECT_EQ(writer.RemoveOld(FileTime{2001} * 1'000'000'000).value(), 1);
  EXPECT_THAT(ReadAll(ledger_).paths, ElementsAre("new", "last"));
}

TEST_F(LedgerFilesTest, ATornEndIsCutAndKeptAsideAndWhatFollowsIsRead) {
  Append({"a"});
  auto const good = ReadFile(first_);
  Append({"torn"});
  auto const whole = ReadFile(first_);
  for (auto size = good.size() + 1; size < whole.size(); size += 7) {
    WriteFile(first_, whole.substr(0, size));
    Append({"next"});
    auto const read = ReadAll(ledger_);
    EXPECT_THAT(read.paths, ElementsAre("a", "next")) << size;
    EXPECT_THAT(read.damages, IsEmpty()) << size;
  }
  auto const aside = ledger_ / ("00000001.rows.cut-at-" + std::to_string(good.size()));
  EXPECT_TRUE(std::filesystem::exists(aside));
}

TEST_F(LedgerFilesTest, WhatIsDamagedInTheMiddleIsSaidAndTheRestIsRead) {
  Append({"a"});
  auto const begin = ReadFile(first_).size();
  Append({"damaged", "c", "d"});
  auto bytes = ReadFile(first_);
  for (auto const offset : {0, 5, 12, 40}) {  // length, checksum, text, body
    auto wrong = bytes;
    wrong[begin + static_cast<std::size_t>(offset)] ^= 0x40;
    WriteFile(first_, wrong);
    auto const read = ReadAll(ledger_);
    EXPECT_THAT(read.paths, ElementsAre("a", "c", "d")) << offset;
    ASSERT_THAT(read.damages, SizeIs(1)) << offset;
    EXPECT_EQ(read.damages[0].offset, begin);
    EXPECT_FALSE(read.damages[0].is_end);
  }
  Append({"e"});
  EXPECT_THAT(ReadAll(ledger_).paths, ElementsAre("a", "c", "d", "e"))
      << "damage that has whole rows behind it is no end";
}

TEST_F(LedgerFilesTest, AHeadThatIsNotThereIsDamageNotTheEnd) {
  Append({"a", "b"});
  auto bytes = ReadFile(first_);
  bytes[0] = 'X';
  WriteFile(first_, bytes);
  auto const read = ReadAll(ledger_);
  EXPECT_THAT(read.paths, ElementsAre("a", "b"));
  EXPECT_THAT(read.damages, SizeIs(1));
}

TEST_F(LedgerFilesTest, AStateDirectoryWithoutALedgerIsSaid) {
  auto const visited = VisitLedger(
      dir_ / "none", [](LedgerRow const&) { return true; }, [](LedgerDamage const&) {});
  EXPECT_EQ(CodeOf(visited), ENOENT);
  EXPECT_THAT(visited.error().context, testing::HasSubstr("has no ledger"));
}

}  // namespace
}  // namespace tusfs
