// tus-upload: killed or stopped, the same command goes on.
#include <sys/stat.h>

#include "tus_upload_rig.h"

namespace tus_upload_testing {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Le;
using testing::SizeIs;

class TusUploadResumes : public TusUpload {
 protected:
  static constexpr std::uint64_t kSize = 4 * kMiB + 3;
  static constexpr std::uint64_t kUntilKilled = kMiB + kMiB / 2;
  std::string const file_ = File("file", kSize);

  void SetUp() override { server_.SetRate(4 * kMiB); }

  /// What was unfinished was gone on with, and no more than one chunk came twice.
  void ExpectOneUpload(std::string const& name) {
    EXPECT_EQ(Published(name), ReadFile(file_));
    EXPECT_THAT(server_.Uploads(), SizeIs(1));
    EXPECT_EQ(server_.Stats().published, 1);
    EXPECT_THAT(server_.Stats().received_bytes, Le(kSize + kChunk));
  }
};

TEST_F(TusUploadResumes, AFileAfterSigkill) {
  KillAfter(kUntilKilled, Program({server_.Url(), file_}));
  EXPECT_EQ(server_.Stats().published, 0);
  server_.SetRate(0);
  auto const run = Run({server_.Url(), file_});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(run.err, HasSubstr("file: goes on after the "));
  ExpectOneUpload("file");
  EXPECT_EQ(Records(), 0);
}

TEST_F(TusUploadResumes, AFileThatWasKilledTimeAndAgain) {
  for (int i = 0; i < 3; ++i) KillAfter(kMiB, Program({server_.Url(), file_}));
  server_.SetRate(0);
  EXPECT_EQ(Run({server_.Url(), file_}).code, 0);
  EXPECT_EQ(Published("file"), ReadFile(file_));
  EXPECT_THAT(server_.Uploads(), SizeIs(1));
  EXPECT_THAT(server_.Stats().received_bytes, Le(kSize + 3 * kChunk));
}

TEST_F(TusUploadResumes, FromRecordsThatOnlyTheUserCanRead) {
  KillAfter(kUntilKilled, Program({server_.Url(), file_}));
  struct stat status {};
  ASSERT_EQ(::stat((temp_ / "state").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0700U);
  EXPECT_EQ(Records(), 1);
  for (auto const& entry : std::filesystem::directory_iterator(temp_ / "state")) {
    ASSERT_EQ(::stat(entry.path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U) << entry.path();
  }
}

TEST_F(TusUploadResumes, WithoutTheFilesThatTheKilledCommandHadFinished) {
  auto const small = File("small", 1000);
  Command const arguments{"--print-url", server_.Url(), small, file_};
  KillAfter(kUntilKilled, Program(arguments));
  server_.SetRate(0);
  auto const run = Run(arguments);
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(Lines(run.out), 2) << "a URL for each file, whoever sent it";
  EXPECT_THAT(run.err, HasSubstr("small: was uploaded before this command was interrupted\n"));
  EXPECT_THAT(server_.Uploads(), SizeIs(2));
  EXPECT_EQ(server_.Stats().published, 2);
  EXPECT_EQ(Records(), 0);
  EXPECT_EQ(Run(arguments).code, 0);
  EXPECT_EQ(server_.Stats().published, 4) << "a command that has ended is a new one";
}

TEST_F(TusUploadResumes, NotAFileThatWasChanged) {
  KillAfter(kUntilKilled, Program({server_.Url(), file_}));
  WriteFile(file_, RandomBytes(kSize, 2));
  server_.SetRate(0);
  EXPECT_EQ(Run({server_.Url(), file_}).code, 0);
  EXPECT_EQ(Published("file"), ReadFile(file_));
  EXPECT_THAT(server_.Uploads(), SizeIs(2));
}

TEST_F(TusUploadResumes, NotWithOtherMetadata) {
  KillAfter(kUntilKilled, Program({server_.Url(), file_}));
  server_.SetRate(0);
  EXPECT_EQ(Run({"--metadata", "filename=other", server_.Url(), file_}).code, 0);
  EXPECT_EQ(Published("other"), ReadFile(file_));
}

TEST_F(TusUploadResumes, NotOnAnotherServer) {
  KillAfter(kUntilKilled, Program({server_.Url(), file_}));
  FixtureServer other;
  EXPECT_EQ(Run({other.Url(), file_}).code, 0);
  EXPECT_EQ(other.Stats().published, 1);
}

TEST_F(TusUploadResumes, StandardInputThatIsFedAgain) {
  KillAfter(kUntilKilled, Fed(file_, {server_.Url(), "-"}));
  server_.SetRate(0);
  auto const run = RunFed(file_, {server_.Url(), "-"});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(run.err, HasSubstr("stdin: an upload of this name was interrupted"));
  ExpectOneUpload("stdin");
}

TEST_F(TusUploadResumes, NoOtherStandardInputAndSaysSo) {
  KillAfter(kUntilKilled, Fed(file_, {server_.Url(), "-"}));
  server_.SetRate(0);
  auto const other = File("other", kSize, 2);
  auto const run = RunFed(other, {"--quiet", server_.Url(), "-"});
  EXPECT_EQ(run.code, 1);
  EXPECT_THAT(run.err, HasSubstr("'stdin' is not uploaded: these are not the bytes of the upload "
                                 "that was interrupted"));
  EXPECT_EQ(Lines(run.err), 1) << run.err;
  EXPECT_EQ(server_.Stats().published, 0);
  EXPECT_EQ(RunFed(other, {server_.Url(), "-"}).code, 0) << "now it is a new one";
  EXPECT_EQ(Published("stdin"), ReadFile(other));
}

TEST_F(TusUploadResumes, WhatSignalsStopWithin100Milliseconds) {
  for (auto const& [signal, code] : {std::pair(SIGINT, 130), {SIGTERM, 143}}) {
    WriteFile(temp_ / "err", "");
    ChildProcess child;
    StartUntil(child, Program({server_.Url(), file_}), kMiB);
    auto const begin = std::chrono::steady_clock::now();
    child.Signal(signal);
    auto const ending = child.Wait(10s);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 100ms);
    ASSERT_TRUE(ending);
    EXPECT_EQ(ending->code, code);
    EXPECT_THAT(ReadFile(temp_ / "err"),
                HasSubstr("tus-upload: stopped; the server has confirmed "));
    EXPECT_THAT(ReadFile(temp_ / "err"), HasSubstr("run the same command again, and it goes on"));
  }
  server_.SetRate(0);
  EXPECT_EQ(Run({server_.Url(), file_}).code, 0);
  EXPECT_THAT(server_.Uploads(), SizeIs(1));
}

TEST_F(TusUploadResumes, AlsoStopsWhileItWaitsForTheServerOrForItsInput) {
  server_.Stop();
  ChildProcess waiting;
  waiting.Start(Program({server_.Url(), file_}), temp_ / "out", temp_ / "err");
  ASSERT_TRUE(
      WaitFor([&] { return ReadFile(temp_ / "err").find("trying again") != std::string::npos; }));
  waiting.Signal(SIGINT);
  EXPECT_EQ(waiting.Wait(10s)->code, 130);

  server_.Start();
  ChildProcess fed;
  std::string script = "sleep 60 |";
  for (auto const& word : Program({server_.Url(), "-"})) script += " '" + word + "'";
  // The shell waits for the whole pipeline, and a signal goes to all of it.
  fed.Start({"bash", "-c", "trap : INT; " + script + "; exit $?"}, temp_ / "out", temp_ / "err2");
  ASSERT_TRUE(WaitFor([&] { return server_.Stats().options >= 1; }));
  fed.Signal(SIGINT);
  EXPECT_EQ(fed.Wait(10s)->code, 130);
}

TEST_F(TusUploadResumes, OrAbandonsIt) {
  KillAfter(kUntilKilled, Program({server_.Url(), file_}));
  server_.SetRate(0);
  auto const run = Run({"--abandon", server_.Url(), file_});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(run.err, HasSubstr("file: its unfinished upload is deleted"));
  EXPECT_THAT(server_.Uploads(), IsEmpty());
  EXPECT_EQ(Records(), 0);
  auto const again = Run({"--abandon", server_.Url(), file_});
  EXPECT_EQ(again.code, 0);
  EXPECT_THAT(again.err, HasSubstr("file: no unfinished upload is known"));
}

TEST_F(TusUploadResumes, AndKnowsWhatItCouldNotAbandon) {
  KillAfter(kUntilKilled, Program({server_.Url(), file_}));
  server_.Require({{"Authorization", "Bearer secret-token"}});
  auto const run = Run({"--quiet", "--abandon", server_.Url(), file_});
  EXPECT_EQ(run.code, 1);
  EXPECT_EQ(Lines(run.err), 1) << run.err;
  EXPECT_THAT(run.err, HasSubstr("file' is not deleted: "));
  EXPECT_THAT(run.err, HasSubstr("answered 401; put that right and run the same command again"));
  server_.Require({});
  EXPECT_EQ(Run({"--abandon", server_.Url(), file_}).code, 0);
  EXPECT_THAT(server_.Uploads(), IsEmpty());
}

TEST_F(TusUploadResumes, ButNotWhatAnotherProcessIsSending) {
  ChildProcess first;
  StartUntil(first, Program({server_.Url(), file_}), kChunk);
  auto const second = Run({"--quiet", server_.Url(), file_});
  EXPECT_EQ(second.code, 1);
  EXPECT_THAT(second.err, HasSubstr("another tus-upload is sending it right now"));
  server_.SetRate(0);
  EXPECT_EQ(first.Wait(30s)->code, 0);
  ExpectOneUpload("file");
}

}  // namespace
}  // namespace tus_upload_testing
