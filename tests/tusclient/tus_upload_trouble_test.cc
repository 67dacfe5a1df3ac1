// tus-upload: whatever fails, one sentence says why and what to do, and the status is 1.
#include <sys/stat.h>

#include "tus_upload_rig.h"

namespace tus_upload_testing {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class TusUploadInTrouble : public TusUpload {
 protected:
  std::string const file_ = File("file", 2 * kChunk);

  static void ExpectSentence(Finished const& run, std::string const& why, std::string const& what) {
    EXPECT_EQ(run.code, 1);
    EXPECT_EQ(Lines(run.err), 1) << run.err;
    EXPECT_THAT(run.err, AllOf(StartsWith("tus-upload: "), HasSubstr(why), HasSubstr(what)));
  }
  void ExpectFailure(Command const& arguments, std::string const& why, std::string const& what) {
    Command command{"--quiet", "--give-up", "0"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    ExpectSentence(Run(command), why, what);
    EXPECT_EQ(server_.Stats().published, 0);
  }
};

TEST_F(TusUploadInTrouble, NamesAFileThatIsNotThere) {
  ExpectFailure({server_.Url(), "/nowhere"}, "'/nowhere' cannot be read: No such file or directory",
                "name a file that can be read");
}

TEST_F(TusUploadInTrouble, NamesADirectory) {
  ExpectFailure({server_.Url(), temp_.path().string()}, "' is a directory: name the files in it",
                "or upload all that is in it with -r");
}

TEST_F(TusUploadInTrouble, NamesAFileThatMayNotBeRead) {
  ASSERT_EQ(::chmod(file_.c_str(), 0), 0);
  auto const run = RunProgram(Unprivileged(Program({"--quiet", server_.Url(), file_})), 60s);
  ExpectSentence(run, "'" + file_ + "' cannot be read: Permission denied",
                 "name a file that can be read");
}

TEST_F(TusUploadInTrouble, NamesAStateDirectoryThatMayNotBeWrittenTo) {
  std::filesystem::create_directory(temp_ / "state");
  ASSERT_EQ(::chmod((temp_ / "state").c_str(), 0500), 0);
  auto const run = RunProgram(Unprivileged(Program({"--quiet", server_.Url(), file_})), 60s);
  ExpectSentence(run, "'" + (temp_ / "state").string() + "' cannot be used: Permission denied",
                 "name another directory with --state-dir");
  EXPECT_EQ(server_.Stats().posts, 0) << "what cannot be remembered is not begun";
}

TEST_F(TusUploadInTrouble, NamesAStateDirectoryThatOthersCanWriteTo) {
  std::filesystem::create_directory(temp_ / "state");
  ASSERT_EQ(::chmod((temp_ / "state").c_str(), 0777), 0);
  ExpectFailure({server_.Url(), file_}, "other users can write there",
                "name another directory with --state-dir");
  EXPECT_EQ(server_.Stats().posts, 0);
}

TEST_F(TusUploadInTrouble, GivesADeadServerUp) {
  server_.Stop();
  auto const begin = std::chrono::steady_clock::now();
  auto const run = Run({"--quiet", "--give-up", "1.5", server_.Url(), file_});
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 10s);
  ExpectSentence(run, "could not connect to 127.0.0.1", "run the same command again");
}

TEST_F(TusUploadInTrouble, WaitsForADeadServerUnlessToldToGiveUp) {
  server_.Stop();
  ChildProcess child;
  child.Start(Program({server_.Url(), file_}), temp_ / "out", temp_ / "err");
  ASSERT_TRUE(
      WaitFor([&] { return ReadFile(temp_ / "err").find("trying again") != std::string::npos; }));
  server_.Start();
  EXPECT_EQ(child.Wait(30s)->code, 0) << ReadFile(temp_ / "err");
  EXPECT_EQ(Published("file"), ReadFile(file_));
}

TEST_F(TusUploadInTrouble, SaysThatTheUrlIsWrong) {
  auto url = server_.Url();
  url.replace(url.find("/files/"), std::string::npos, "/elsewhere");
  ExpectFailure({url, file_}, "answered 404", "check the URL");
}

TEST_F(TusUploadInTrouble, RepeatsWhatTheServerRefusesWith) {
  server_.AddFault({.method = "POST", .nth = 0, .action = Fault::Answer(422, "no room for you")});
  ExpectFailure({server_.Url(), file_}, "answered 422: no room for you", "what it takes");
}

TEST_F(TusUploadInTrouble, EndsAtARefusalInTheMiddle) {
  server_.AddFault({.method = "PATCH", .nth = 2, .action = Fault::Answer(400, "enough")});
  ExpectFailure({"--checksum", "off", server_.Url(), file_}, "'" + file_ + "' is not uploaded",
                "answered 400: enough");
}

TEST_F(TusUploadInTrouble, AsksForCredentialsWhereThereAreNone) {
  server_.Require({{"Authorization", "Bearer secret-token"}});
  ExpectFailure({server_.Url(), file_}, "answered 401", "give credentials, with --token-file");
}

TEST_F(TusUploadInTrouble, NamesTheCredentialsThatAreRefusedAndNeverShowsThem) {
  server_.Require({{"Authorization", "Bearer secret-token"}});
  WriteFile(temp_ / "token", "wrong-token\n");
  Command const arguments{"--quiet", "--token-file", (temp_ / "token").string(), server_.Url(),
                          file_};
  auto const run = Run(arguments);
  ExpectSentence(run, "answered 401", "renew the credentials of --token-file");
  EXPECT_THAT(run.err, Not(HasSubstr("wrong-token")));
  WriteFile(temp_ / "token", "secret-token\n");
  EXPECT_EQ(Run(arguments).code, 0);
}

TEST_F(TusUploadInTrouble, SaysHowLargeAnUploadMayBe) {
  FixtureServer const small({.max_size = 1000});
  ExpectFailure({small.Url(), file_}, "takes uploads of at most 1000 bytes",
                "only the server's operator can raise that limit");
}

TEST_F(TusUploadInTrouble, SaysWhenTheServerTakesNoStandardInput) {
  FixtureServer const strict({.defer_length = false});
  ExpectSentence(RunFed(file_, {"--quiet", strict.Url(), "-"}),
                 "does not take uploads whose size is not known",
                 "write it to a file and upload this");
}

TEST_F(TusUploadInTrouble, SaysWhenItIsUnknownWhetherTheFileArrived) {
  server_.AddFault({.method = "PATCH", .nth = 2, .action = Fault::LoseAnswer()});
  server_.AddFault({.method = "HEAD", .nth = 0, .action = Fault::ForgetUpload()});
  ExpectSentence(Run({"--quiet", server_.Url(), file_}), "may have been published",
                 "look for it on the server; where it is missing, run this command with --abandon");
  EXPECT_EQ(Run({"--abandon", server_.Url(), file_}).code, 0);
  server_.ClearFaults();
  EXPECT_EQ(Run({server_.Url(), file_}).code, 0);
}

TEST_F(TusUploadInTrouble, TellsAnOutageOnce) {
  server_.AddFault({.method = "POST", .nth = 1, .action = Fault::Answer(503, "busy")});
  server_.AddFault({.method = "POST", .nth = 1, .action = Fault::Answer(503, "busy")});
  auto const run = Run({server_.Url(), file_});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(Lines(run.err), 2) << run.err;
  EXPECT_THAT(run.err, HasSubstr("answered 503: busy; trying again in 1 s\n"));
}

}  // namespace
}  // namespace tus_upload_testing
