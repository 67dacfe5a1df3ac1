// What a doctor says, of what there is and of what a daemon answers.
#include "control/doctor.h"

#include <gmock/gmock.h>

#include "testing/files.h"

namespace tusfs {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using Level = Finding::Level;

Finding const& Of(std::string const& topic, std::vector<Finding> const& findings) {
  static Finding const none;
  for (auto const& finding : findings) {
    if (finding.topic == topic) return finding;
  }
  ADD_FAILURE() << "nothing is said of " << topic;
  return none;
}

json Spool(std::uint64_t used, std::uint64_t waiting = 0) {
  return {{"spool", {{"used", used}, {"limit", 7'200'000}, {"waiting", waiting}}}};
}

std::vector<Finding> ServerThat(json const& patch, bool reachable = true) {
  json answer{{"problem", nullptr}, {"code", nullptr}, {"clock_ahead", 0}, {"took_ms", 12}};
  answer.merge_patch(patch);
  json const error = reachable ? json() : json("401 Unauthorized");
  return ExamineServer(answer, {{"server", {{"reachable", reachable}, {"error", error}}}});
}

TEST(DoctorTest, WhereTheServerAnswersAllOfItIsFine) {
  for (auto const& finding : ServerThat(json::object())) {
    EXPECT_EQ(finding.level, Level::kOk) << finding.sentence;
  }
  EXPECT_THAT(Of("server", ServerThat(json::object())).sentence, HasSubstr("12 ms"));
}

TEST(DoctorTest, EachTroubleOfTheServerHasItsWayOut) {
  auto const said = [](char const* code, char const* problem) {
    return ServerThat({{"problem", problem}, {"code", code}});
  };
  auto const network = Of("server", said("unreachable", "could not connect"));
  EXPECT_EQ(network.level, Level::kBad);
  EXPECT_THAT(network.sentence, HasSubstr("could not connect; look at the network"));
  EXPECT_THAT(Of("server", said("unreachable", "SSL certificate problem: expired")).sentence,
              HasSubstr("look at its certificate"));
  EXPECT_THAT(Of("server", said("not-tus", "a web page")).sentence, HasSubstr("look at the URL"));
  EXPECT_THAT(Of("credentials", said("unauthorized", "401")).sentence,
              HasSubstr("mend the credentials"));
}

TEST(DoctorTest, CredentialsThatUploadsNeedAndQuestionsDoNotAreSeen) {
  auto const findings = ServerThat(json::object(), false);
  EXPECT_EQ(Of("server", findings).level, Level::kOk);
  EXPECT_EQ(Of("credentials", findings).level, Level::kBad);
  EXPECT_THAT(Of("credentials", findings).sentence, HasSubstr("401 Unauthorized"));
}

TEST(DoctorTest, AClockIsComparedWithTheServers) {
  EXPECT_EQ(Of("clock", ServerThat({{"clock_ahead", -59}})).level, Level::kOk);
  auto const behind = Of("clock", ServerThat({{"clock_ahead", 7200}}));
  EXPECT_EQ(behind.level, Level::kWarning);
  EXPECT_THAT(behind.sentence, HasSubstr("2 h 0 min behind the server's"));
  EXPECT_THAT(Of("clock", ServerThat({{"clock_ahead", -7200}})).sentence,
              HasSubstr("2 h 0 min ahead of the server's"));
  EXPECT_THAT(Of("clock", ServerThat({{"clock_ahead", nullptr}})).sentence,
              HasSubstr("does not say"));
}

TEST(DoctorTest, ASpoolSaysWhenItIsFull) {
  auto const after = [](json const& later) {
    return Of("spool", ExamineSpool(Spool(0), later, 2));
  };
  EXPECT_THAT(after(Spool(0)).sentence, HasSubstr("it does not fill"));
  EXPECT_EQ(after(Spool(1000)).level, Level::kOk);
  EXPECT_THAT(after(Spool(1000)).sentence, HasSubstr("it is full in 3 h 59 min"));
  auto const soon = after(Spool(720'000));
  EXPECT_EQ(soon.level, Level::kWarning);
  EXPECT_THAT(soon.sentence, HasSubstr("it is full in 18 s"));
  auto const full = after(Spool(7'200'000, 3));
  EXPECT_EQ(full.level, Level::kBad);
  EXPECT_THAT(full.sentence, HasSubstr("--spool-size"));
}

TEST(DoctorTest, AStateDirectoryThatIsNotThereIsBad) {
  tusfs_testing::TempDir const dir;
  auto const missing = Of("disk", ExamineDisk(dir / "no such"));
  EXPECT_EQ(missing.level, Level::kBad);
  EXPECT_THAT(missing.sentence, HasSubstr("no such"));
}

TEST(DoctorTest, AStateDirectoryInMemoryIsAWarning) {
  auto const memory = ExamineDisk("/dev/shm");
  if (memory[0].sentence.find("cannot be looked at") != std::string::npos) {
    GTEST_SKIP() << "SKIPPED: there is no /dev/shm";
  }
  EXPECT_EQ(memory[0].level, Level::kWarning);
  EXPECT_THAT(memory[0].sentence, HasSubstr("a reboot loses"));
}

TEST(DoctorTest, TheMachineIsLookedAt) {
  auto const machine = ExamineMachine();
  EXPECT_THAT(Of("kernel", machine).sentence, HasSubstr("Linux "));
  EXPECT_NE(Of("fuse", machine).sentence, "");
}

TEST(DoctorTest, EachFindingIsOneLine) {
  EXPECT_EQ(ShowFindings({{Level::kOk, "kernel", "Linux"}, {Level::kBad, "disk", "two\nlines"}}),
            "ok      kernel      Linux\nbad     disk        two\\x0alines\n");
}

}  // namespace
}  // namespace tusfs
