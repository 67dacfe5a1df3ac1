// The ledger of a real mount: every uploaded file has its row, whatever dies, and it outlives
// names.
#include <map>

#include "mount/mount_test.h"

namespace tusfs_testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class LedgerTest : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (!IsSkipped()) StartServer(ServerKind::kFixture);
  }

  static json Report(Command const& arguments) {
    Command command{"report", "--json"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    auto const answer = TusfsCtl(command);
    EXPECT_NE(answer.code, 2) << answer.err;
    EXPECT_FALSE(answer.json.is_discarded()) << answer.out;
    return answer.json;
  }

  static std::map<std::string, std::string> States(json const& report) {
    std::map<std::string, std::string> states;
    for (auto const& file : report["files"]) states[file["path"]] = file["state"];
    return states;
  }
};

TEST_F(LedgerTest, AnUploadedFileHasARowWithItsDigestsThatOutlivesItsName) {
  MountedTusfs mount(server_->Url(), {"--verify", "head"});
  ASSERT_EQ(mount.Mount(), "");
  auto const source = Source("source", 9 * kMiB + 17);
  Copy(source, mount / "clip.mov");
  ASSERT_EQ(mount.WaitUploaded(), 0);
  std::filesystem::remove(mount / "clip.mov");
  auto const report = Report({mount.mountpoint()});
  ASSERT_EQ(report["files"].size(), 1U);
  auto const& row = report["files"][0];
  EXPECT_EQ(row["path"], "clip.mov");
  EXPECT_EQ(row["state"], "uploaded");
  EXPECT_EQ(row["size"], 9 * kMiB + 17);
  EXPECT_EQ(row["sha256"], Sha256OfFile(source));
  EXPECT_EQ(row["proved_by"], "head");
  EXPECT_GE(row["sent"], 9 * kMiB + 17);
  EXPECT_GE(row["requests"], 1);
  EXPECT_THAT(std::string(row["blocks"]), ::testing::SizeIs(32));
  EXPECT_TRUE(report["behind"].is_null());
  EXPECT_EQ(mount.Unmount(), 0);
  EXPECT_EQ(Report({"--state-dir", mount.state_dir()})["files"], report["files"])
      << "without a mount it says the same";
}

TEST_F(LedgerTest, WithoutSha256ThereIsNone) {
  MountedTusfs mount(server_->Url(), {"--sha256", "off"});
  ASSERT_EQ(mount.Mount(), "");
  WriteFile(mount / "a", "some bytes");
  ASSERT_EQ(mount.WaitUploaded(), 0);
  auto const row = Report({mount.mountpoint()})["files"][0];
  EXPECT_TRUE(row["sha256"].is_null());
  EXPECT_FALSE(row["xxh128"].is_null());
}

TEST_F(LedgerTest, WhatWasRemovedOrDiscardedBeforeItWasUploadedIsThere) {
  MountedTusfs mount(server_->Url(), {"--finish", "*=manual"});
  ASSERT_EQ(mount.Mount(), "");
  for (auto const* name : {"removed", "discarded", "waiting", ".DS_Store"})
    WriteFile(mount / name, "bytes");
  std::filesystem::remove(mount / "removed");
  ASSERT_EQ(TusfsCtl({"discard", mount / "discarded"}).code, 0);
  auto const states = States(Report({mount.mountpoint()}));
  EXPECT_EQ(states, (std::map<std::string, std::string>{{"removed", "removed"},
                                                        {"discarded", "discarded"}}));
  auto const missing = TusfsCtl({"report", "--missing", "--json", mount.mountpoint()});
  EXPECT_EQ(missing.code, 1);
  auto const all = States(missing.json);
  EXPECT_EQ(all.size(), 3U);
  EXPECT_EQ(all.at("waiting"), "settling");
}

TEST_F(LedgerTest, ARefusedFileSaysWhatTheServerSaid) {
  server_->fixture()->AddFault({.method = "POST", .action = Fault::Answer(403, "no such project")});
  MountedTusfs mount(server_->Url());
  ASSERT_EQ(mount.Mount(), "");
  WriteFile(mount / "a", "bytes");
  ASSERT_TRUE(WaitFor([&] { return mount.State("a") == "failed"; }));
  auto const row = Report({mount.mountpoint()})["files"][0];
  EXPECT_EQ(row["state"], "refused");
  EXPECT_THAT(std::string(row["reason"]), HasSubstr("403"));
}

// The daemon is killed again and again while files are published; each has its row in the end.
TEST_F(LedgerTest, KilledDaemonsLeaveNoUploadedFileWithoutItsRow) {
  MountedTusfs mount(server_->Url(), {"--settle", "0"});
  ASSERT_EQ(mount.Mount(), "");
  std::map<std::string, std::string> expected;
  for (int round = 0; round < 6; ++round) {
    for (int i = 0; i < 30; ++i) {
      auto const name = std::to_string(round) + "-" + std::to_string(i);
      WriteFile(mount / name, "bytes of " + name);
      expected[name] = "uploaded";
    }
    ASSERT_NE(mount.KillDaemon(), 0);
  }
  ASSERT_EQ(mount.WaitUploaded(), 0);
  auto const report = Report({mount.mountpoint()});
  EXPECT_EQ(States(report), expected);
  EXPECT_EQ(report["totals"]["uploaded"]["files"], expected.size()) << "none is there twice";
}

TEST_F(LedgerTest, ATornEndIsCutLoudlyAndTheMountGoesOn) {
  MountedTusfs mount(server_->Url(), {});
  ASSERT_EQ(mount.Mount(), "");
  WriteFile(mount / "a", "bytes");
  ASSERT_EQ(mount.WaitUploaded(), 0);
  ASSERT_EQ(States(Report({mount.mountpoint()})).size(), 1U);
  ASSERT_EQ(mount.Unmount(), 0);
  auto const file = mount.state_dir() / "ledger" / "00000001.rows";
  WriteFile(file, ReadFile(file) + "torn");
  ASSERT_EQ(mount.Mount(), "");
  WriteFile(mount / "b", "bytes");
  ASSERT_EQ(mount.WaitUploaded(), 0);
  auto const answer = TusfsCtl({"report", mount.mountpoint()});
  EXPECT_EQ(answer.code, 0);
  EXPECT_THAT(answer.err, IsEmpty());
  EXPECT_THAT(answer.out, HasSubstr("uploaded: 2 files"));
  EXPECT_THAT(mount.Log(), HasSubstr("the ledger had a damaged end"));
}

TEST_F(LedgerTest, BadInputIsNamedWithTheWayOut) {
  EXPECT_THAT(TusfsCtl({"report", "--since", "soon"}).err, HasSubstr("'soon' is no time"));
  EXPECT_EQ(TusfsCtl({"report", "--since", "soon"}).code, 2);
  EXPECT_EQ(TusfsCtl({"report", "--state", "eaten"}).code, 2);
  EXPECT_EQ(TusfsCtl({"report", "--since", "1h", "--until", "2h"}).code, 2);
  EXPECT_EQ(TusfsCtl({"report", "--csv", "--json"}).code, 2);
  auto const nothing = TusfsCtl({"report"});
  EXPECT_EQ(nothing.code, 2);
  EXPECT_THAT(nothing.err, HasSubstr("--state-dir"));
  EXPECT_THAT(TusfsCtl({"report", "--state-dir", "/nowhere"}).err, HasSubstr("'/nowhere'"));
}

}  // namespace
}  // namespace tusfs_testing
