// What a person may send to strangers: everything that helps, and nothing that is nobody's
// business.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "mount/mount_test.h"

namespace tusfs_testing {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr auto kUrlSecret = "s3cret-4711";
constexpr auto kTokenSecret = "t0ken-0815";
constexpr auto kMetadataSecret = "cl1ent-0042";
constexpr auto kName = "Hochzeit von Müller \"1\"\n.mov";
constexpr auto kDirectory = "Brautpaar Özil";

class BugReportTest : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (IsSkipped()) return;
    StartServer(ServerKind::kFixture);
    ::setenv("PATH", ((dir_ / "bin").string() + ":" + ::getenv("PATH")).c_str(), 1);
    fs::create_directory(dir_ / "bin");
    WriteJournal({});
  }

  // What journalctl prints here.
  void WriteJournal(std::vector<json> const& entries) {
    std::string lines;
    for (auto const& entry : entries) lines += entry.dump() + "\n";
    WriteFile(dir_ / "journal", lines);
    auto const program = dir_ / "bin" / "journalctl";
    WriteFile(program, "#!/bin/sh\ncat '" + (dir_ / "journal").string() + "'\n");
    fs::permissions(program, fs::perms::owner_all);
  }

  [[nodiscard]] std::unique_ptr<MountedTusfs> MountWithSecrets() const {
    WriteFile(dir_ / "url", server_->Url() + "?token=" + kUrlSecret + "\n");
    WriteFile(dir_ / "token", std::string(kTokenSecret) + "\n");
    fs::permissions(dir_ / "token", fs::perms::owner_read);
    return std::make_unique<MountedTusfs>(
        "none", Command{"--url-file", dir_ / "url", "--token-file", dir_ / "token", "--settle",
                        "0.1", "--metadata", std::string("client=") + kMetadataSecret});
  }

  // A file that is uploaded, and one that waits for a person, both of a name that nobody may see.
  static void WriteFiles(MountedTusfs const& mount) {
    fs::create_directory(mount / kDirectory);
    WriteFile(mount / kDirectory / "sent.mov", "sent");
    EXPECT_EQ(mount.WaitUploaded(), 0);
    WriteFile(mount / kDirectory / (std::string(kName) + ".part"), "for its name");
  }

  /// Runs it, and unpacks what it made to dir_/NAME.
  CtlAnswer Report(std::string const& name, Command const& more = {}) {
    auto const file = dir_ / (name + ".tar.gz");
    Command command{"report-bug", file};
    command.insert(command.end(), more.begin(), more.end());
    auto answer = TusfsCtl(command);
    EXPECT_EQ(answer.code, 0) << answer.err;
    struct stat seen {};
    EXPECT_EQ(::stat(file.c_str(), &seen), 0);
    EXPECT_EQ(seen.st_mode & 0777, 0600u);
    fs::create_directory(dir_ / name);
    auto const unpacked = RunProgram({"tar", "-xzf", file, "-C", dir_ / name});
    EXPECT_EQ(unpacked.code, 0) << unpacked.err;
    return answer;
  }

  [[nodiscard]] std::string Member(std::string const& report, std::string const& member) const {
    return ReadFile(dir_ / report / "tusfs-report" / member);
  }

  /// Everything in it, with the names of the members.
  [[nodiscard]] std::string AllOf(std::string const& report) const {
    std::string all;
    for (auto const& entry : fs::recursive_directory_iterator(dir_ / report)) {
      all += entry.path().lexically_relative(dir_ / report).string() + "\n";
      if (entry.is_regular_file()) all += ReadFile(entry.path());
    }
    return all;
  }
};

TEST_F(BugReportTest, NeitherSecretsNorNamesNorTheMachineAreInTheBundle) {
  auto const mount = MountWithSecrets();
  ASSERT_EQ(mount->Mount(), "");
  WriteFiles(*mount);
  std::string const path = std::string(kDirectory) + "/" + kName;
  WriteJournal({{{"__REALTIME_TIMESTAMP", "86400000000"},
                 {"PRIORITY", "4"},
                 {"TUSFS_MOUNT", mount->mountpoint()},
                 {"TUSFS_FILE", path},
                 {"MESSAGE", "held back path=\"" + path + "\" error=\"" + kName + " is held, " +
                                 server_->Url() + "upload-0123?token=" + kUrlSecret + "\""}},
                {{"MESSAGE", "'Gone Müller.mov' was removed"}},
                {{"TUSFS_MOUNT", "/mnt/other"}, {"MESSAGE", "of another one"}}});
  auto const answer = Report("report", {mount->mountpoint()});
  auto const all = AllOf("report") + answer.out + answer.err;
  char host[256] = {};
  ASSERT_EQ(::gethostname(host, sizeof host - 1), 0);
  for (std::string const hidden :
       {kUrlSecret, kTokenSecret, kMetadataSecret, "Hochzeit", "Müller", "M\\u00fc", "Brautpaar",
        "zil", "sent.mov", "upload-0123", static_cast<char const*>(host)}) {
    EXPECT_THAT(all, Not(HasSubstr(hidden))) << hidden;
  }
  auto const log = Member("report", "log.txt");
  EXPECT_THAT(log, HasSubstr("1970-01-02T00:00:00Z warn held back"));
  EXPECT_THAT(log, HasSubstr(".mov' was removed"));
  EXPECT_THAT(log, Not(HasSubstr("of another one")));
}

TEST_F(BugReportTest, WhatHelpsIsInTheBundle) {
  auto const mount = MountWithSecrets();
  ASSERT_EQ(mount->Mount(), "");
  WriteFiles(*mount);
  auto const answer = Report("report");
  EXPECT_THAT(Member("report", "version.txt"), HasSubstr("tusfsctl "));
  EXPECT_THAT(Member("report", "machine.txt"), HasSubstr("kernel Linux"));
  auto const status = json::parse(Member("report", "mount-1/status.json"));
  EXPECT_EQ(status.at("files").at("uploaded"), 1);
  EXPECT_EQ(status.at("url"), server_->Url() + "?***");
  auto const stuck = json::parse(Member("report", "mount-1/stuck.json"));
  ASSERT_EQ(stuck.at("files").size(), 1u);
  EXPECT_THAT(stuck.at("files").at(0).at("path"),
              ::testing::MatchesRegex("dir-[0-9]+/file-[0-9]+\\.part"));
  EXPECT_THAT(Member("report", "mount-1/settings.txt"), HasSubstr("\nsettle "));
  EXPECT_THAT(Member("report", "mount-1/metrics.txt"), HasSubstr("\ntusfs_up"));
  EXPECT_THAT(Member("report", "mount-1/doctor.txt"), HasSubstr("daemon"));
  EXPECT_THAT(Member("report", "mount-1/disk.txt"), HasSubstr("filesystem: "));
  EXPECT_THAT(Member("report", "missing.txt"), HasSubstr("log: the journal has no line"));
  EXPECT_THAT(answer.out, HasSubstr("mount-1/settings.txt"));
  EXPECT_THAT(answer.out, HasSubstr("log: the journal has no line"));
}

TEST_F(BugReportTest, WithNamesOnlyNamesOfFilesStay) {
  auto const mount = MountWithSecrets();
  ASSERT_EQ(mount->Mount(), "");
  WriteFiles(*mount);
  Report("report", {"--with-names"});
  auto const stuck = json::parse(Member("report", "mount-1/stuck.json"));
  EXPECT_EQ(stuck.at("files").at(0).at("path"), std::string(kDirectory) + "/" + kName + ".part");
  for (std::string const hidden : {kUrlSecret, kTokenSecret, kMetadataSecret}) {
    EXPECT_THAT(AllOf("report"), Not(HasSubstr(hidden)));
  }
}

TEST_F(BugReportTest, ItIsMadeWhereTheDaemonIsDeadAndWhereNothingIsMounted) {
  Report("nothing");
  EXPECT_THAT(Member("nothing", "missing.txt"), HasSubstr("mounts: none is asked"));
  auto const mount = MountWithSecrets();
  ASSERT_EQ(mount->Mount(), "");
  WriteFiles(*mount);
  mount->Kill9();
  auto const answer = Report("dead");
  EXPECT_THAT(Member("dead", "missing.txt"), HasSubstr("does not answer"));
  EXPECT_THAT(answer.out, HasSubstr("does not answer"));
  EXPECT_TRUE(json::parse(Member("dead", "mount-1/status.json")).at("daemon_pid").is_null());
  EXPECT_THAT(Member("dead", "mount-1/disk.txt"), HasSubstr("free: "));
  EXPECT_THAT(AllOf("dead"), Not(HasSubstr(kUrlSecret)));
  // A mount that is not there is named, and all else is told.
  Report("elsewhere", {"/no/such/mount"});
  EXPECT_THAT(Member("elsewhere", "missing.txt"), HasSubstr("is not in a tusfs mount"));
}

TEST_F(BugReportTest, ADaemonThatHangsIsToldWithWhatItWaitsFor) {
  auto const mount = MountWithSecrets();
  ASSERT_EQ(mount->Mount(), "");
  auto const daemon = mount->DaemonPid();
  ASSERT_EQ(::kill(daemon, SIGSTOP), 0);
  Report("hanging");
  ASSERT_EQ(::kill(daemon, SIGCONT), 0);
  EXPECT_THAT(Member("hanging", "missing.txt"), HasSubstr("it hangs"));
  EXPECT_THAT(Member("hanging", "mount-1/threads.txt"),
              HasSubstr("thread " + std::to_string(daemon) + "\ncomm: tusfs"));
  EXPECT_EQ(json::parse(Member("hanging", "mount-1/status.json")).at("keeper_pid"),
            mount->KeeperPid());
}

TEST_F(BugReportTest, ItNeverOverwritesAndIsNotMadeInsideOfAMount) {
  WriteFile(dir_ / "there.tar.gz", "mine");
  auto const refused = TusfsCtl({"report-bug", dir_ / "there.tar.gz"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_THAT(refused.err, HasSubstr("is there already: name another"));
  EXPECT_EQ(ReadFile(dir_ / "there.tar.gz"), "mine");
  fs::create_symlink(dir_ / "target", dir_ / "link.tar.gz");
  EXPECT_EQ(TusfsCtl({"report-bug", dir_ / "link.tar.gz"}).code, 2);
  EXPECT_FALSE(fs::exists(dir_ / "target"));
  auto const nowhere = TusfsCtl({"report-bug", dir_ / "no" / "such.tar.gz"});
  EXPECT_EQ(nowhere.code, 2);
  EXPECT_THAT(nowhere.err, HasSubstr("cannot be made: No such file"));
  auto const two = TusfsCtl({"report-bug", "a.zip", "/mnt/a"});
  EXPECT_EQ(two.code, 2);
  EXPECT_THAT(two.err, HasSubstr("name one FILE.tar.gz"));
  MountedTusfs mount(server_->Url());
  ASSERT_EQ(mount.Mount(), "");
  auto const inside = TusfsCtl({"report-bug", mount / "a.tar.gz"});
  EXPECT_EQ(inside.code, 2);
  EXPECT_THAT(inside.err, HasSubstr("and be uploaded"));
  EXPECT_FALSE(fs::exists(mount / "a.tar.gz"));
}

}  // namespace
}  // namespace tusfs_testing
