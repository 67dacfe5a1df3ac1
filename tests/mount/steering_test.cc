// What a person does to a running mount, and what monitoring sees of it.
#include <algorithm>

#include "mount/mount_test.h"
#include "mount/open_file.h"

namespace tusfs_testing {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class SteeringTest : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (IsSkipped()) return;
    StartServer(ServerKind::kFixture);
    mount_ = std::make_unique<MountedTusfs>(server_->Url());
    ASSERT_EQ(mount_->Mount(), "");
  }

  [[nodiscard]] CtlAnswer Ctl(Command command) const {
    command.push_back(mount_->mountpoint());
    return TusfsCtl(command);
  }

  std::unique_ptr<MountedTusfs> mount_;
};

TEST_F(SteeringTest, APauseOutlivesTheDaemonAndTheMount) {
  ASSERT_EQ(Ctl({"pause"}).code, 0);
  WriteFile(*mount_ / "clip", "bytes");
  ASSERT_TRUE(WaitFor([&] { return mount_->State("clip") == "queued"; }));
  ASSERT_GT(mount_->KillDaemon(), 0);
  ASSERT_TRUE(WaitFor([&] { return mount_->Restarts() == 1; }));
  EXPECT_EQ(Ctl({"drain"}).code, 2) << "that would be never";
  EXPECT_THAT(Ctl({"status"}).out, HasSubstr("paused"));
  ASSERT_EQ(Ctl({"umount"}).code, 0);
  EXPECT_EQ(mount_->WaitForEnd(), 0);
  ASSERT_EQ(mount_->Mount(), "");
  EXPECT_EQ(Ctl({"status", "--check"}).code, 1);
  EXPECT_EQ(server_->Published("clip"), 0);

  ASSERT_EQ(Ctl({"resume"}).code, 0);
  EXPECT_EQ(Ctl({"drain", "--timeout", "60"}).code, 0);
  EXPECT_EQ(server_->Published("clip"), 1);
}

TEST_F(SteeringTest, WhatGoesFirstDoesSoAfterARestartToo) {
  mount_->SetOptions({"--transfers", "1"});
  ASSERT_EQ(Ctl({"umount"}).code, 0);
  ASSERT_EQ(mount_->Mount(), "");
  ASSERT_EQ(Ctl({"pause"}).code, 0);
  std::filesystem::create_directory(*mount_ / "urgent");
  for (int i = 0; i < 20; ++i) WriteFile(*mount_ / std::to_string(i), "bytes");
  WriteFile(*mount_ / "urgent" / "clip", std::string(100'000, 'x'));
  auto const said = TusfsCtl({"prioritize", *mount_ / "urgent"});
  EXPECT_EQ(said.code, 0) << said.err;
  EXPECT_EQ(said.out, "urgent: goes first\n");
  ASSERT_GT(mount_->KillDaemon(), 0);
  ASSERT_TRUE(WaitFor([&] { return mount_->Restarts() == 1; }));
  EXPECT_EQ(mount_->Listed("urgent/clip")["first"], true);
  EXPECT_FALSE(mount_->Listed("7").contains("first"));
  EXPECT_THAT(Ctl({"list"}).out, HasSubstr("urgent/clip  -- goes first"));
  ASSERT_TRUE(WaitFor([&] { return mount_->State("urgent/clip") == "queued"; }));
  ASSERT_EQ(Ctl({"resume"}).code, 0);
  EXPECT_EQ(mount_->WaitUploaded(), 0);
  auto const first_uploaded = [&] { return mount_->Log().find("uploaded path="); };
  ASSERT_TRUE(WaitFor([&] { return first_uploaded() != std::string::npos; }));
  EXPECT_THAT(mount_->Log().substr(first_uploaded()), StartsWith("uploaded path=\"urgent/clip\""));
  EXPECT_EQ(TusfsCtl({"prioritize", "--normal", *mount_ / "urgent"}).out,
            "urgent: goes in its turn\n");
  auto const refused = TusfsCtl({"prioritize", *mount_ / "7"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("uploaded already"));
}

TEST_F(SteeringTest, ALimitIsKeptByTheNextDaemon) {
  ASSERT_EQ(TusfsCtl({"limit", "2MiB", mount_->mountpoint()}).code, 0);
  ASSERT_GT(mount_->KillDaemon(), 0);
  ASSERT_TRUE(WaitFor([&] { return mount_->Restarts() == 1; }));
  EXPECT_EQ(mount_->Status()["limit"], 2 * kMiB);
  ASSERT_EQ(TusfsCtl({"limit", "none", mount_->mountpoint()}).code, 0);
  EXPECT_EQ(mount_->Status()["limit"], 0);
  auto const wrong = TusfsCtl({"limit", "fast", mount_->mountpoint()});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("not fast"));
}

TEST_F(SteeringTest, TheLogLevelIsChanged) {
  EXPECT_EQ(TusfsCtl({"log-level", "debug", mount_->mountpoint()}).code, 0);
  EXPECT_EQ(mount_->Status()["log_level"], "debug");
  EXPECT_EQ(TusfsCtl({"log-level", "loud", mount_->mountpoint()}).code, 2);
}

TEST_F(SteeringTest, UmountWithDrainLeavesNothingBehind) {
  WriteFile(*mount_ / "clip", "bytes");
  EXPECT_EQ(Ctl({"umount", "--drain", "--timeout", "60"}).code, 0);
  EXPECT_EQ(mount_->WaitForEnd(), 0);
  EXPECT_FALSE(IsMounted(mount_->mountpoint()));
  EXPECT_EQ(server_->Published("clip"), 1);
}

TEST_F(SteeringTest, WhatCannotBeSentKeepsTheMount) {
  WriteFile(*mount_ / "clip.part", "bytes");
  auto const refused = Ctl({"umount", "--drain"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.out, HasSubstr("clip.part"));
  EXPECT_THAT(refused.err, HasSubstr("stays mounted"));
  EXPECT_TRUE(IsMounted(mount_->mountpoint()));
}

TEST_F(SteeringTest, UmountIsRefusedWhileAFileIsOpen) {
  OpenFile file(*mount_ / "clip");
  auto const refused = Ctl({"umount"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("stays mounted"));
  EXPECT_EQ(file.Close(), 0);
}

TEST_F(SteeringTest, AllMountsAreListedWithWhatIsLeft) {
  MountedTusfs other("http://127.0.0.1:9/files/");
  ASSERT_EQ(other.Mount(), "");
  WriteFile(other / "clip", "12345");
  auto const listed = TusfsCtl({"mounts", "--json"}).json["mounts"];
  ASSERT_EQ(listed.size(), 2U);
  auto const& with_file = listed[0]["mount"] == other.mountpoint().string() ? listed[0] : listed[1];
  EXPECT_EQ(with_file["backlog"]["left"], 5);
  EXPECT_EQ(with_file["state"], "waiting for the server");
  EXPECT_EQ(with_file["daemon_pid"], other.DaemonPid());
  EXPECT_THAT(TusfsCtl({"mounts"}).out, HasSubstr("1 file, 5 B to go"));
  EXPECT_EQ(TusfsCtl({"status", "--all", "--json"}).json["mounts"].size(), 2U);
  auto const check = TusfsCtl({"status", "--check", "--all"});
  EXPECT_EQ(check.code, 1);
  EXPECT_THAT(check.out, StartsWith("TUSFS WARNING - "));
}

TEST_F(SteeringTest, MonitoringIsToldByTheExitStatus) {
  EXPECT_EQ(Ctl({"status", "--check"}).code, 0);
  WriteFile(*mount_ / "clip.part", "bytes");
  ASSERT_EQ(Ctl({"status", "--check", "--max-age", "1h"}).code, 0);
  EXPECT_TRUE(WaitFor([&] {
    return TusfsCtl({"status", "--check", "--max-age", "1", mount_->mountpoint()}).code == 2;
  }));
  EXPECT_EQ(Ctl({"status", "--check", "--max-age", "soon"}).code, 2) << "usage";
  auto const none = TusfsCtl({"status", "--check", "/"});
  EXPECT_EQ(none.code, 2);
  EXPECT_THAT(none.out, StartsWith("TUSFS CRITICAL - "));
}

TEST_F(SteeringTest, ADoctorFindsWhatIsWrongAndSaysTheWayOut) {
  auto const fine = Ctl({"doctor"});
  EXPECT_THAT(fine.out, HasSubstr("it answers as a tus server"));
  EXPECT_EQ(fine.code, fine.out.find("warning") == std::string::npos ? 0 : 1) << fine.out;
  EXPECT_THAT(fine.out, ::testing::Not(HasSubstr("bad ")));

  MountedTusfs other("http://127.0.0.1:9/files/");
  ASSERT_EQ(other.Mount(), "");
  auto const ill = TusfsCtl({"doctor", "--json", other.mountpoint()});
  EXPECT_EQ(ill.code, 1);
  auto const findings = ill.json["mounts"][0]["findings"];
  auto const server = std::find_if(findings.begin(), findings.end(), [](auto const& finding) {
    return finding["topic"] == "server";
  });
  ASSERT_NE(server, findings.end());
  EXPECT_EQ((*server)["level"], "bad");
  EXPECT_THAT((*server)["sentence"].get<std::string>(), HasSubstr("look at the network"));
  EXPECT_EQ(TusfsCtl({"doctor", "/"}).code, 2);
}

TEST_F(SteeringTest, WhatNeedsSomebodyIsListedWithWhatToDo) {
  WriteFile(*mount_ / "fine", "bytes");
  WriteFile(*mount_ / "clip.part", "bytes");
  ASSERT_TRUE(WaitFor([&] { return mount_->State("fine") == "uploaded"; }));
  auto const stuck = Ctl({"list", "--stuck", "--json"}).json["files"];
  ASSERT_EQ(stuck.size(), 1U);
  EXPECT_EQ(stuck[0]["path"], "clip.part");
  EXPECT_THAT(stuck[0]["advice"].get<std::string>(),
              HasSubstr("tusfsctl publish '" + (*mount_ / "clip.part").string() + "'"));
  EXPECT_THAT(Ctl({"list", "--stuck"}).out, HasSubstr("final name"));
}

}  // namespace
}  // namespace tusfs_testing
