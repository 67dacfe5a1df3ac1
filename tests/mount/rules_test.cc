// Rules of the configuration file, in a mount that runs: whole, after its daemon's end, and when
// they change.
#include <signal.h>

#include "mount/mount_test.h"
#include "mount/open_file.h"

namespace tusfs_testing {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class RulesMountTest : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (!IsSkipped()) StartServer(ServerKind::kFixture);
  }

  void Configure(std::string const& text) const { WriteFile(dir_ / "rig.toml", text); }
  /// Mounts with what is configured.
  void Mount() {
    mount_ = std::make_unique<MountedTusfs>(server_->Url(),
                                            Command{"--config", (dir_ / "rig.toml").string()});
    ASSERT_EQ(mount_->Mount(), "");
  }

  /// Of the upload of `path`, or nothing.
  std::string MetadataOf(std::string const& path, std::string const& key) {
    for (auto const& upload : server_->fixture()->Uploads()) {
      auto const found = upload.metadata.find("relativePath");
      if (found == upload.metadata.end() || found->second != path) continue;
      auto const value = upload.metadata.find(key);
      return value == upload.metadata.end() ? "" : value->second;
    }
    ADD_FAILURE() << path << " is not on the server";
    return {};
  }

  std::unique_ptr<MountedTusfs> mount_;
};

TEST_F(RulesMountTest, EachFileGoesByTheRuleOfItsPath) {
  Configure(
      "[metadata]\nproject = \"dune\"\n"
      "[[rule]]\npath = \"/inbox/\"\nfinish = \"manual\"\n"
      "[[rule]]\npath = \"*.xml\"\nmetadata = { kind = \"sidecar\", project = \"\" }\n"
      "verify = \"head\"\n");
  Mount();
  fs::create_directory(*mount_ / "inbox");
  WriteFile(*mount_ / "inbox/held", "held");
  WriteFile(*mount_ / "clip.xml", "<clip/>");
  WriteFile(*mount_ / "clip.mov", "movie");
  ASSERT_TRUE(WaitFor([&] {
    return mount_->State("clip.xml") == "uploaded" && mount_->State("clip.mov") == "uploaded";
  }));
  EXPECT_EQ(MetadataOf("clip.xml", "kind"), "sidecar");
  EXPECT_EQ(MetadataOf("clip.xml", "project"), "");
  EXPECT_EQ(MetadataOf("clip.mov", "kind"), "");
  EXPECT_EQ(MetadataOf("clip.mov", "project"), "dune");
  EXPECT_EQ(mount_->State("inbox/held"), "settling");
  fs::rename(*mount_ / "inbox/held", *mount_ / "let go.xml");
  ASSERT_EQ(mount_->WaitUploaded(), 0);
  EXPECT_EQ(MetadataOf("let go.xml", "kind"), "sidecar") << "what it is called now counts";
}

TEST_F(RulesMountTest, WhatStartsClosedIsSentAfterItsEndWhateverBecomesOfTheDaemon) {
  Configure("[[rule]]\npath = \"*.mov\"\nstart = \"closed\"\n");
  Mount();
  auto const bytes = RandomBytes(9 * kMiB);
  OpenFile file(*mount_ / "clip.mov");
  OpenFile other(*mount_ / "clip.bin");
  file.Write(bytes);
  other.Write(bytes);
  auto const find = [&](char const* name) { return server_->Find(name); };
  ASSERT_TRUE(WaitFor([&] { return find("clip.bin").has_value(); })) << "that one streams";
  auto const daemon = mount_->DaemonPid();
  ::kill(daemon, SIGKILL);
  file.Write("end");
  ASSERT_TRUE(WaitFor([&] { return mount_->DaemonPid() != daemon; }));
  SendMarker(*mount_, "marker");
  EXPECT_FALSE(find("clip.mov")) << "its successor has the rule, too";
  EXPECT_EQ(file.Close(), 0);
  EXPECT_EQ(other.Close(), 0);
  ASSERT_EQ(mount_->WaitUploaded(), 0);
  auto const upload = find("clip.mov");
  ASSERT_TRUE(upload && upload->complete);
  EXPECT_EQ(ReadFile(server_->File(*upload)), bytes + "end");
}

TEST_F(RulesMountTest, WhichGoBeforeWhichIsSaidByRules) {
  Configure(
      "transfers = 1\nsettle = 0.1\n"
      "[[rule]]\npath = \"*.low\"\npriority = \"low\"\n"
      "[[rule]]\npath = \"*.high\"\npriority = \"high\"\n");
  Mount();
  ASSERT_EQ(TusfsCtl({"pause", mount_->mountpoint()}).code, 0);
  for (auto const* name : {"a.low", "b", "moved.low", "c.high"}) WriteFile(*mount_ / name, "x");
  for (auto const* name : {"a.low", "b", "moved.low", "c.high"}) {
    ASSERT_TRUE(WaitFor([&] { return mount_->State(name) == "queued"; })) << name;
  }
  EXPECT_FALSE(mount_->Listed("moved.low").contains("first"));
  fs::rename(*mount_ / "moved.low", *mount_ / "moved.high");
  EXPECT_EQ(mount_->Listed("moved.high")["first"], true);
  ASSERT_TRUE(WaitFor([&] { return mount_->State("moved.high") == "queued"; }));
  ASSERT_EQ(TusfsCtl({"resume", mount_->mountpoint()}).code, 0);
  ASSERT_EQ(mount_->WaitUploaded(), 0);
  auto const uploaded = [&](std::string const& name) {
    return mount_->Log().find("uploaded path=\"" + name + "\"");
  };
  ASSERT_TRUE(WaitFor([&] { return uploaded("a.low") != std::string::npos; }));
  EXPECT_LT(uploaded("c.high"), uploaded("b"));
  EXPECT_LT(uploaded("moved.high"), uploaded("b"));
  EXPECT_LT(uploaded("b"), uploaded("a.low"));
}

TEST_F(RulesMountTest, ASidecarIsPublishedWhenItsMediaAreWhateverBecomesOfTheDaemon) {
  Configure("settle = 0.2\n[[rule]]\npath = \"*.xml\"\nafter = \"{dir}/{stem}.mov\"\n");
  Mount();
  OpenFile media(*mount_ / "clip.mov");
  media.Write("half of it");
  WriteFile(*mount_ / "clip.xml", "<clip/>");
  WriteFile(*mount_ / "other.xml", "<clip/>");
  ASSERT_TRUE(WaitFor([&] { return mount_->State("other.xml") == "uploaded"; }));
  ASSERT_TRUE(WaitFor([&] {
    return mount_->Listed("clip.xml")["error"] ==
           "waits until another file is on the server: clip.mov";
  })) << mount_->Listed("clip.xml");
  auto const daemon = mount_->DaemonPid();
  ::kill(daemon, SIGKILL);
  media.Write(", the rest");
  ASSERT_TRUE(WaitFor([&] { return mount_->DaemonPid() != daemon; }));
  SendMarker(*mount_, "marker");
  EXPECT_EQ(mount_->State("clip.xml"), "settling");
  EXPECT_EQ(server_->Published("clip.xml"), 0);
  EXPECT_EQ(media.Close(), 0);
  EXPECT_EQ(TusfsCtl({"wait", mount_->mountpoint()}).code, 0) << "nobody has to do anything";
  EXPECT_EQ(mount_->State("clip.xml"), "uploaded");
  auto const uploaded = [&](std::string const& name) {
    return mount_->Log().find("uploaded path=\"" + name + "\"");
  };
  ASSERT_TRUE(WaitFor([&] { return uploaded("clip.xml") != std::string::npos; }));
  EXPECT_LT(uploaded("clip.mov"), uploaded("clip.xml"));
}

TEST_F(RulesMountTest, WhoWaitsForAnInterruptedFileIsNamedAndPublishedByAPersonsWord) {
  Configure("settle = 0.2\n[[rule]]\npath = \"*.done\"\nafter = \"*\"\n");
  Mount();
  ChildProcess writer;
  writer.Start(
      {"sh", "-c", "exec 3> '" + (*mount_ / "clip").string() + "'; echo x >&3; kill -KILL $$"},
      dir_ / "out", dir_ / "err");
  ASSERT_TRUE(writer.Wait(std::chrono::seconds(20)));
  ASSERT_TRUE(WaitFor([&] { return mount_->State("clip") == "interrupted"; }));
  WriteFile(*mount_ / "card.done", "");
  auto const waited = TusfsCtl({"wait", mount_->mountpoint()});
  EXPECT_EQ(waited.code, 1);
  EXPECT_THAT(waited.out, HasSubstr("waits until another file is on the server: clip"));
  EXPECT_THAT(mount_->Log(), HasSubstr("file is held back until others are on the server"));
  EXPECT_EQ(TusfsCtl({"publish", *mount_ / "card.done"}).code, 0);
  ASSERT_TRUE(WaitFor([&] { return mount_->State("card.done") == "uploaded"; }));
}

TEST_F(RulesMountTest, AReloadTakesOtherRules) {
  Configure("[[rule]]\npath = \"*.mov\"\nsettle = 3600\n");
  Mount();
  WriteFile(*mount_ / "clip.mov", "movie");
  SendMarker(*mount_, "marker");
  EXPECT_EQ(mount_->State("clip.mov"), "settling");
  Configure("[[rule]]\npath = \"*.mov\"\nsettle = \"soon\"\n");
  auto const refused = TusfsCtl({"reload", mount_->mountpoint()});
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("rig.toml:3: settle of a rule is 'soon'"));
  EXPECT_EQ(mount_->State("clip.mov"), "settling");
  Configure("[[rule]]\npath = \"*.mov\"\nsettle = 0.1\nmetadata = { take = \"2\" }\n");
  EXPECT_EQ(TusfsCtl({"reload", mount_->mountpoint()}).code, 0);
  ASSERT_EQ(mount_->WaitUploaded(), 0);
  EXPECT_EQ(MetadataOf("clip.mov", "take"), "2");
}

}  // namespace
}  // namespace tusfs_testing
