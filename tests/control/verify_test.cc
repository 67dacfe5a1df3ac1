// tusfsctl verify of a card beside a state directory that nothing is mounted on.
#include "control/verify.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "control/known_tree.h"
#include "control/outcome.h"
#include "control/verify_text.h"
#include "proof/ledger_rows.h"
#include "proof/rest_note.h"
#include "spool/spool.h"

namespace tusfs {
namespace {

using nlohmann::json;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using tusfs_testing::ReadFile;
using tusfs_testing::WriteFile;

class VerifyTest : public testing::Test {
 protected:
  VerifyTest() {
    ::setenv("TUSFS_RUNTIME_DIR", (dir_ / "run").c_str(), 1);  // no mounts of anybody
    options_.source = card_.string();
    options_.state_dir = state_.string();
    std::filesystem::create_directory(card_);
  }

  void Uploaded(std::string const& path, std::string const& bytes) {
    auto proof = ProofOf(path);
    BlockHasher hasher;
    hasher.Update(std::as_bytes(std::span(bytes)));
    std::vector const blocks{hasher.Digest()};
    proof.size = bytes.size();
    proof.root = RootOf(blocks);
    proof.digests.sha256 = std::string(32, 'x');
    proof.upload = Uuid::Random();
    proof.server = server_;
    ASSERT_TRUE(Ok(writer_.Append({{proof, blocks}})));
  }

  int Run() {
    if (is_at_rest_) {
      EXPECT_TRUE(Ok(NoteRest(state_, server_)));
    }
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    auto const code = Verify(options_);
    out_ = testing::internal::GetCapturedStdout();
    err_ = testing::internal::GetCapturedStderr();
    return code;
  }

  tusfs_testing::TempDir const dir_;
  std::filesystem::path const state_ = dir_ / "state";
  std::filesystem::path const card_ = dir_ / "card";
  LedgerWriter writer_ = LedgerWriter::Open(LedgerDirectory(state_), {}, QuietLogger()).value();
  VerifyOptions options_;
  std::string server_;
  bool is_at_rest_ = true;  ///< nobody uses the state directory
  std::string out_;
  std::string err_;
};

TEST_F(VerifyTest, AllThatIsThereIsSafeInOneSentence) {
  WriteFile(card_ / "a", "bytes");
  WriteFile(card_ / "b", "more");
  Uploaded("a", "bytes");
  Uploaded("b", "more");
  EXPECT_EQ(Run(), kDone);
  EXPECT_THAT(out_, HasSubstr("\nSAFE TO FORMAT: 2 of 2 files (9 B) are on the server, the last "
                              "confirmed at 20"));
}

TEST_F(VerifyTest, OneThatIsMissingIsNamedAndKeepsTheCard) {
  WriteFile(card_ / "a", "bytes");
  WriteFile(card_ / "b\n\x1b[2J", "more");
  Uploaded("a", "bytes");
  EXPECT_EQ(Run(), kStuck);
  EXPECT_THAT(out_, HasSubstr("missing: b\\x0a\\x1b[2J\n"));
  EXPECT_THAT(out_, EndsWith("DO NOT FORMAT: 1 of 2 files is not known to be on the server\n"));
}

TEST_F(VerifyTest, NothingIsSafeBesideAStateDirectoryThatWasNotLeftInOrder) {
  WriteFile(card_ / "a", "a");
  Uploaded("a", "a");
  is_at_rest_ = false;
  EXPECT_EQ(Run(), kStuck);
  EXPECT_THAT(out_, HasSubstr("has not ended in order"));
  is_at_rest_ = true;
  EXPECT_EQ(Run(), kDone) << out_;
  ASSERT_TRUE(Ok(EndRest(state_)));
  is_at_rest_ = false;
  EXPECT_EQ(Run(), kStuck) << "it is in use again";
}

TEST(KnownTreeTest, TellsWhatBecameOfAFileMeanwhile) {
  KnownTree before;
  before.files["a"].proof.id = Uuid::Random();
  std::vector<ComparedFile> const files{{.entry = {}, .path = "a"}, {.entry = {}, .path = "b"}};
  EXPECT_EQ(ChangedSince(before, before, files), std::nullopt);
  auto now = before;
  now.unfinished["b"] = {"queued", ""};
  EXPECT_EQ(ChangedSince(before, now, files), "b");
  now = before;
  now.files["a"].proof.id = Uuid::Random();
  EXPECT_EQ(ChangedSince(before, now, files), "a");
  now = before;
  now.files["c"].proof.id = Uuid::Random();
  EXPECT_EQ(ChangedSince(before, now, files), std::nullopt) << "it is not of the card";
}

TEST_F(VerifyTest, AnEmptyCardIsNeverSafe) {
  EXPECT_EQ(Run(), kStuck);
  EXPECT_THAT(out_, HasSubstr("DO NOT FORMAT: there is no file in"));
  WriteFile(card_ / ".DS_Store", "junk");
  EXPECT_EQ(Run(), kStuck);
  EXPECT_THAT(out_, HasSubstr("not counted: 1 file that desktops leave behind, such as .DS_Store"));
}

TEST_F(VerifyTest, TheLastThatBecameOfAPathCounts) {
  WriteFile(card_ / "a", "old");
  Uploaded("a", "old");
  Uploaded("a", "new");
  EXPECT_EQ(Run(), kStuck);
  EXPECT_THAT(out_, HasSubstr("different: a: other bytes from block 0"));
}

TEST_F(VerifyTest, WhatTheSpoolStillHasIsNotThere) {
  WriteFile(card_ / "a", "bytes");
  Uploaded("a", "bytes");
  auto const spool = Spool::Open(state_ / "spool").value();
  auto const version = spool->Create(7).value();
  std::string const newer = "newer";
  ASSERT_TRUE(Ok(version->Write(0, std::as_bytes(std::span(newer)))));
  for (auto const state : {Description::State::kFinished, Description::State::kUnfinished}) {
    ASSERT_TRUE(Ok(spool->Describe(7, {.state = state,
                                       .path = "a",
                                       .mode = 0640,
                                       .uid = 0,
                                       .gid = 0,
                                       .modified = 0,
                                       .trimmed = 0,
                                       .url = ""})));
    EXPECT_EQ(Run(), kStuck);
    EXPECT_THAT(out_, HasSubstr("here, not yet there: a"));
  }
}

TEST_F(VerifyTest, DamageBehindARowIsADoubtAndBeforeItIsNot) {
  auto const file = LedgerDirectory(state_) / "00000001.rows";
  WriteFile(card_ / "a", "bytes");
  Uploaded("gone", "x");
  auto const end = ReadFile(file).size();
  Uploaded("a", "bytes");
  auto const whole = ReadFile(file);
  auto damaged = whole;
  damaged[end - 3] ^= 1;
  WriteFile(file, damaged);
  EXPECT_EQ(Run(), kDone) << out_ << err_;
  EXPECT_THAT(err_, HasSubstr("the ledger is damaged"));
  WriteFile(file, whole + "torn");
  EXPECT_EQ(Run(), kStuck);
  EXPECT_THAT(out_, HasSubstr("unproven: a: the ledger is damaged behind its row"));
}

TEST_F(VerifyTest, WhatIsOnAServerThatWasLeftSinceIsInDoubt) {
  WriteFile(card_ / "a", "bytes");
  server_ = "http://old/files/";
  Uploaded("a", "bytes");
  EXPECT_EQ(Run(), kDone) << out_;
  server_ = "http://new/files/";
  Uploaded("b", "bytes");
  EXPECT_EQ(Run(), kStuck);
  EXPECT_THAT(out_, HasSubstr("unproven: a: it was uploaded to another server: http://old/files/"));
}

TEST_F(VerifyTest, APathInTheMountIsWhereTheCardWent) {
  WriteFile(card_ / "a", "bytes");
  Uploaded("day1/A001/a", "bytes");
  EXPECT_EQ(Run(), kStuck);
  options_.path = "day1/A001/";
  EXPECT_EQ(Run(), kDone) << out_;
  options_.path = "day1";
  options_.mappings = {*ParseMapping("=A001")};
  EXPECT_EQ(Run(), kDone) << out_;
}

TEST_F(VerifyTest, JsonAndReceiptHaveEveryFileWithItsEvidence) {
  WriteFile(card_ / "a", "bytes");
  WriteFile(card_ / "b", "other");
  Uploaded("a", "bytes");
  options_.as_json = true;
  options_.receipt = (dir_ / "receipt").string();
  EXPECT_EQ(Run(), kStuck);
  auto const answer = json::parse(out_);
  EXPECT_EQ(answer["safe"], false);
  EXPECT_THAT(std::string(answer["sentence"]), StartsWith("DO NOT FORMAT"));
  EXPECT_EQ(answer["files"][0]["finding"], "on the server");
  EXPECT_EQ(answer["files"][0]["proved_by"], "offset");
  EXPECT_EQ(std::string(answer["files"][0]["sha256"]).size(), 64U);
  EXPECT_EQ(answer["files"][1]["finding"], "missing");
  EXPECT_FALSE(answer["files"][1].contains("sha256"));
  auto const text = ReadFile(options_.receipt);
  EXPECT_THAT(text, HasSubstr("DO NOT FORMAT"));
  EXPECT_THAT(text, HasSubstr("sha256 7878"));
  EXPECT_EQ(json::parse(ReadFile(options_.receipt + ".json")), answer);
}

TEST_F(VerifyTest, AReceiptIsNotWrittenToTheCard) {
  WriteFile(card_ / "a", "bytes");
  options_.receipt = (card_ / "receipt").string();
  EXPECT_EQ(Run(), kNoAnswer);
  EXPECT_THAT(err_, HasSubstr("is in the source"));
  EXPECT_FALSE(std::filesystem::exists(card_ / "receipt"));
}

TEST_F(VerifyTest, WhatCannotBeComparedIsNamed) {
  options_.source = (dir_ / "pulled-out").string();
  EXPECT_EQ(Run(), kNoAnswer);
  EXPECT_THAT(err_, HasSubstr("/pulled-out'"));
  EXPECT_THAT(out_, Not(HasSubstr("SAFE")));
  options_.source = card_.string();
  options_.state_dir = (dir_ / "other").string();
  EXPECT_EQ(Run(), kNoAnswer);
  EXPECT_THAT(err_, HasSubstr("/other' has no ledger"));
  EXPECT_EQ(CodeOf(ParseMapping("DCIM")), EINVAL);
}

}  // namespace
}  // namespace tusfs
