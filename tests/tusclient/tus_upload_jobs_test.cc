// tus-upload -j: several files at once, with all that is promised of one after the other.
#include "tus_upload_rig.h"

namespace tus_upload_testing {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Le;
using testing::MatchesRegex;
using testing::SizeIs;

class TusUploadWithJobs : public TusUpload {
 protected:
  static constexpr int kFiles = 30;
  static constexpr std::uint64_t kSize = 2 * kChunk + 11;

  [[nodiscard]] std::string Url(std::string const& name) const {
    return server_.Url() + server_.FindUpload(name)->id + "\n";
  }
  void Start(ChildProcess& child, Command const& arguments) const {
    child.Start(Program(arguments), temp_ / "out", temp_ / "err");
  }
  [[nodiscard]] bool AwaitStalled(int requests) const {
    return WaitFor([&] { return server_.Stalled() == requests; });
  }
};

TEST_F(TusUploadWithJobs, SendsSoManyFilesAtOnceAndNoMore) {
  auto const folder = Folder("folder", kFiles, kSize);
  server_.AddFault({.method = "PATCH", .nth = 0, .action = Fault::StallUntilReleased()});
  ChildProcess child;
  Start(child, {"-r", "-j", "4", server_.Url(), folder});
  ASSERT_TRUE(AwaitStalled(4));
  EXPECT_EQ(server_.Stats().posts, 4);
  EXPECT_EQ(server_.Stats().published, 0);
  server_.ClearFaults();
  server_.ReleaseStalled();
  EXPECT_EQ(child.Wait(60s)->code, 0) << ReadFile(temp_ / "err");
  ExpectAllOf(folder);
  EXPECT_THAT(server_.Uploads(), SizeIs(kFiles));
  EXPECT_EQ(server_.Stats().received_bytes, kFiles * kSize);
  EXPECT_EQ(server_.Stats().overlapping_patches, 0);
}

TEST_F(TusUploadWithJobs, SendsOneAfterTheOtherUnlessAsked) {
  server_.AddFault({.method = "PATCH", .nth = 1, .action = Fault::StallUntilReleased()});
  ChildProcess child;
  Start(child, {"-r", server_.Url(), Folder("folder", 3, 1000)});
  ASSERT_TRUE(AwaitStalled(1));
  EXPECT_EQ(server_.Stats().posts, 1);
  server_.ReleaseStalled();
  EXPECT_EQ(child.Wait(30s)->code, 0);
}

TEST_F(TusUploadWithJobs, PrintsTheUrlsInTheOrderOfTheFiles) {
  auto const first = File("first", 1000, 1);
  auto const second = File("second", 1000, 2);
  auto const third = File("third", 1000, 3);
  server_.AddFault(OnCreationOf("first", Fault::StallUntilReleased()));
  server_.AddFault(OnCreationOf("second", Fault::Answer(422, "not that one")));
  ChildProcess child;
  Start(child, {"--print-url", "-j", "2", server_.Url(), first, second, third});
  ASSERT_TRUE(AwaitStalled(1));
  ASSERT_TRUE(WaitFor([&] { return server_.Stats().published == 1; }));
  server_.ReleaseStalled();
  EXPECT_EQ(child.Wait(30s)->code, 1);
  EXPECT_EQ(ReadFile(temp_ / "out"), Url("first") + Url("third"));
}

TEST_F(TusUploadWithJobs, OneFileThatIsRefusedDoesNotKeepTheOthersBack) {
  auto const folder = Folder("folder", kFiles, 1000);
  server_.AddFault(OnCreationOf("file-11", Fault::Answer(422, "not that one")));
  Command const arguments{"--quiet", "-r", "-j", "4", server_.Url(), folder};
  auto const run = Run(arguments);
  EXPECT_EQ(run.code, 1);
  EXPECT_EQ(Lines(run.err), 1) << run.err;
  EXPECT_THAT(run.err, AllOf(HasSubstr("/file-11' is not uploaded: "), HasSubstr("not that one")));
  EXPECT_EQ(server_.Stats().published, kFiles - 1);
  server_.ClearFaults();
  EXPECT_EQ(Run(arguments).code, 0);
  EXPECT_EQ(server_.Stats().published, kFiles);
  ExpectAllOf(folder);
}

TEST_F(TusUploadWithJobs, KilledSendsNoFinishedFileAgain) {
  auto const folder = Folder("folder", kFiles, kSize);
  Command const arguments{"--print-url", "-r", "-j", "4", server_.Url(), folder};
  server_.SetRate(16 * kMiB);
  int kills = 0;
  for (int const files : {3, 10, 20}) {
    ChildProcess child;
    Start(child, arguments);
    ASSERT_TRUE(WaitFor([&] { return server_.Stats().published >= files; }));
    child.Signal(SIGKILL);
    ASSERT_TRUE(child.Wait(10s));
    ++kills;
  }
  server_.SetRate(0);
  auto const run = Run(arguments);
  EXPECT_EQ(run.code, 0) << run.err;
  ExpectAllOf(folder);
  EXPECT_EQ(server_.Stats().published, kFiles);
  EXPECT_THAT(server_.Stats().received_bytes,
              Le(kFiles * kSize + static_cast<std::uint64_t>(kills) * 4 * kChunk));
  EXPECT_THAT(run.err, HasSubstr(": was uploaded before this command was interrupted\n"));
  std::string urls;
  for (auto const& entry : std::set<std::filesystem::path>(
           std::filesystem::directory_iterator(folder), std::filesystem::directory_iterator())) {
    urls += Url(entry.filename().string());
  }
  EXPECT_EQ(run.out, urls) << "of all files, whichever run has sent them";
  EXPECT_EQ(Records(), 0);
  EXPECT_EQ(Run(arguments).code, 0);
  EXPECT_EQ(server_.Stats().published, 2 * kFiles) << "a command that has ended is a new one";
}

TEST_F(TusUploadWithJobs, SignalsStopAllOfThemWithin100Milliseconds) {
  auto const folder = Folder("folder", 8, 4 * kMiB);
  server_.SetRate(8 * kMiB);
  for (auto const& [signal, code] : {std::pair(SIGINT, 130), {SIGTERM, 143}}) {
    std::filesystem::remove(temp_ / "err");
    ChildProcess child;
    StartUntil(child, Program({"-r", "-j", "4", server_.Url(), folder}), 3 * kMiB);
    auto const begin = std::chrono::steady_clock::now();
    child.Signal(signal);
    auto const ending = child.Wait(10s);
    EXPECT_LT(std::chrono::steady_clock::now() - begin, 100ms);
    ASSERT_TRUE(ending);
    EXPECT_EQ(ending->code, code);
    auto const err = ReadFile(temp_ / "err");
    EXPECT_EQ(Occurrences(err, "tus-upload: stopped; the server has confirmed "), 4U) << err;
  }
  server_.SetRate(0);
  auto const run = Run({"-r", "-j", "4", server_.Url(), folder});
  EXPECT_EQ(run.code, 0) << run.err;
  ExpectAllOf(folder);
  EXPECT_THAT(server_.Uploads(), SizeIs(8));
}

TEST_F(TusUploadWithJobs, AFileThatIsNamedTwiceIsUploadedOnce) {
  auto const file = File("file", kSize);
  server_.AddFault({.method = "PATCH", .nth = 1, .action = Fault::StallUntilReleased()});
  ChildProcess child;
  Start(child, {"--print-url", "-j", "4", server_.Url(), file, file, file, file});
  ASSERT_TRUE(AwaitStalled(1));
  ASSERT_TRUE(WaitFor([&] { return Lines(ReadFile(temp_ / "err")) == 3; }));
  EXPECT_EQ(server_.Stats().posts, 1);
  server_.ReleaseStalled();
  EXPECT_EQ(child.Wait(30s)->code, 0) << ReadFile(temp_ / "err");
  EXPECT_EQ(server_.Stats().published, 1);
  auto const url = Url("file");
  EXPECT_EQ(ReadFile(temp_ / "out"), url + url + url + url);
}

TEST_F(TusUploadWithJobs, NoLineIsCutByAnother) {
  auto const folder = Folder("folder", kFiles, kSize);
  auto const run = Run({"--verbose", "-r", "-j", "8", server_.Url(), folder});
  EXPECT_EQ(run.code, 0) << run.err;
  std::istringstream lines(run.err);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_THAT(line, MatchesRegex("/[^:]*/file-[0-9][0-9]: "
                                   "(uploaded, 512.0 KiB|the server has [0-9.]+ K?i?B of 512.0 "
                                   "KiB)"));
  }
  EXPECT_EQ(Lines(run.err), kFiles * 4);
}

TEST_F(TusUploadWithJobs, TheBarIsOfAllTogether) {
  auto const folder = Folder("folder", 4, kMiB / 2);
  std::string words;
  for (auto const& word :
       Program({"--limit-rate", "2MiB", "-r", "-j", "3", server_.Url(), folder})) {
    words += "'" + word + "' ";
  }
  auto const shown = RunProgram({"script", "-qefc", words, "/dev/null"}, 60s);
  EXPECT_EQ(shown.code, 0) << shown.out;
  EXPECT_THAT(shown.out, ContainsRegex("\r[0-3] of 4 files  \\[#*\\.*\\] +[0-9]+%  .* of 2.0 MiB  "
                                       ".*/s"));
  EXPECT_EQ(Occurrences(shown.out, ": uploaded, 512.0 KiB"), 4U) << shown.out;
}

TEST_F(TusUploadWithJobs, ShareTheRate) {
  auto const folder = Folder("folder", 3, kChunk);
  auto const begin = std::chrono::steady_clock::now();
  EXPECT_EQ(Run({"--limit-rate", "768KiB", "-r", "-j", "3", server_.Url(), folder}).code, 0);
  EXPECT_GT(std::chrono::steady_clock::now() - begin, 500ms);
}

TEST_F(TusUploadWithJobs, ShareTheCredentials) {
  auto const folder = Folder("folder", 8, 1000);
  server_.Require({{"Authorization", "Bearer secret-token"}});
  WriteFile(temp_ / "token", "secret-token\n");
  EXPECT_EQ(Run({"--token-command", "cat " + (temp_ / "token").string(), "-r", "-j", "8",
                 server_.Url(), folder})
                .code,
            0);
  ExpectAllOf(folder);
}

}  // namespace
}  // namespace tus_upload_testing
