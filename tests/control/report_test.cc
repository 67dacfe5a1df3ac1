// tusfsctl report of a state directory that nothing is mounted on.
#include "control/report.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "control/outcome.h"
#include "proof/ledger_rows.h"

namespace tusfs {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using Format = ReportOptions::Format;

constexpr FileTime kOneSecond = 1'000'000'000;

class ReportTest : public testing::Test {
 protected:
  ReportTest() { options_.state_dir = state_.string(); }

  void Add(std::string path, Fate fate, FileTime seconds, std::string reason = {}) {
    auto proof = ProofOf(std::move(path), fate);
    proof.at = seconds * kOneSecond;
    proof.begun = proof.at - kOneSecond;
    proof.reason = std::move(reason);
    ASSERT_TRUE(Ok(writer_.Append({{proof, {}}})));
  }

  int Run() {
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    auto const code = ReportFiles(options_);
    out_ = testing::internal::GetCapturedStdout();
    err_ = testing::internal::GetCapturedStderr();
    return code;
  }

  std::vector<std::string> Paths() {
    options_.format = Format::kJson;
    EXPECT_NE(Run(), kNoAnswer) << err_;
    std::vector<std::string> paths;
    auto const report = json::parse(out_);
    for (auto const& file : report["files"]) paths.push_back(file["path"]);
    return paths;
  }

  tusfs_testing::TempDir const dir_;
  std::filesystem::path const state_ = dir_ / "state";
  LedgerWriter writer_ = LedgerWriter::Open(LedgerDirectory(state_), {}, QuietLogger()).value();
  ReportOptions options_;
  std::string out_;
  std::string err_;
};

TEST_F(ReportTest, SinceAndUntilAreFromThenOnAndBefore) {
  for (int i = 1; i <= 4; ++i) Add("f" + std::to_string(i), Fate::kUploaded, i);
  options_.since = 2 * kOneSecond;
  options_.until = 4 * kOneSecond;
  EXPECT_THAT(Paths(), ElementsAre("f2", "f3"));
}

TEST_F(ReportTest, APathIsOneFileOrADirectoryAndNoBeginningOfAName) {
  Add("card/a", Fate::kUploaded, 1);
  Add("card2/b", Fate::kUploaded, 2);
  options_.path = "./card/";
  EXPECT_THAT(Paths(), ElementsAre("card/a"));
  options_.path = "card2/b";
  EXPECT_THAT(Paths(), ElementsAre("card2/b"));
}

TEST_F(ReportTest, StatesAreChosen) {
  Add("a", Fate::kUploaded, 1);
  Add("b", Fate::kRefused, 2);
  Add("c", Fate::kDiscarded, 3);
  options_.states = {Fate::kRefused, Fate::kDiscarded};
  EXPECT_THAT(Paths(), ElementsAre("b", "c"));
}

TEST_F(ReportTest, WhatIsMissingIsByTheLastThatBecameOfEach) {
  Add("sent-at-last", Fate::kRefused, 1);
  Add("sent-at-last", Fate::kUploaded, 2);
  Add("given-up-later", Fate::kUploaded, 3);
  Add("given-up-later", Fate::kDiscarded, 4);
  Add("refused", Fate::kRefused, 5);
  options_.missing = true;
  EXPECT_THAT(Paths(), ElementsAre("given-up-later", "refused"));
  EXPECT_EQ(Run(), kStuck);
  options_.path = "sent-at-last";
  EXPECT_EQ(Run(), kDone);
}

TEST_F(ReportTest, TotalsSumUpFilesBytesAndTheRate) {
  Add("a", Fate::kUploaded, 10);
  Add("b", Fate::kUploaded, 19);
  Add("c", Fate::kRefused, 30);
  options_.totals = true;
  ASSERT_EQ(Run(), kDone);
  EXPECT_THAT(out_, HasSubstr("uploaded: 2 files, 10 B"));
  EXPECT_THAT(out_, HasSubstr("refused: 1 file, 5 B"));
  EXPECT_THAT(out_, HasSubstr("1 B/s"));
  EXPECT_THAT(out_, Not(HasSubstr("  a")));
  options_.format = Format::kJson;
  ASSERT_EQ(Run(), kDone);
  auto const report = json::parse(out_);
  EXPECT_TRUE(report["files"].empty());
  EXPECT_EQ(report["totals"]["uploaded"]["bytes"], 10);
  EXPECT_EQ(report["rate"], 1);
}

TEST_F(ReportTest, HostileNamesForgeNoLine) {
  std::string const name = "x\nuploaded\x1b[2J,\"y\"";
  Add(name, Fate::kRefused, 1, "no\nway");
  ASSERT_EQ(Run(), kDone);
  EXPECT_THAT(out_, HasSubstr("x\\x0auploaded\\x1b[2J"));
  EXPECT_THAT(out_, HasSubstr("no\\x0away"));
  options_.format = Format::kCsv;
  ASSERT_EQ(Run(), kDone);
  EXPECT_THAT(out_, HasSubstr(",\"x\nuploaded\x1b[2J,\"\"y\"\"\","));
  EXPECT_THAT(Paths(), ElementsAre(name));
}

TEST_F(ReportTest, AReceiptHasNoSecrets) {
  auto proof = ProofOf("a");
  proof.receipt = "Location: http://secret\nSet-Cookie: secret\nETag: 1\n\nbody";
  ASSERT_TRUE(Ok(writer_.Append({{proof, {}}})));
  options_.format = Format::kJson;
  ASSERT_EQ(Run(), kDone);
  EXPECT_THAT(out_, HasSubstr("ETag: 1"));
  EXPECT_THAT(out_, Not(HasSubstr("secret")));
}

TEST_F(ReportTest, DamageIsSaidBesideWhatIsWhole) {
  Add("a", Fate::kUploaded, 1);
  auto const file = LedgerDirectory(state_) / "00000001.rows";
  tusfs_testing::WriteFile(file, tusfs_testing::ReadFile(file) + "rubbish");
  EXPECT_THAT(Paths(), ElementsAre("a"));
  EXPECT_THAT(err_, HasSubstr("the ledger is damaged at byte"));
}

TEST_F(ReportTest, AStateDirectoryWithoutALedgerIsNamed) {
  options_.state_dir = (dir_ / "other").string();
  EXPECT_EQ(Run(), kNoAnswer);
  EXPECT_THAT(err_, HasSubstr("/other' has no ledger"));
}

TEST_F(ReportTest, NothingIsSaidToBeNothing) {
  ASSERT_EQ(Run(), kDone);
  EXPECT_EQ(out_, "no files\n");
}

}  // namespace
}  // namespace tusfs
