// tus-upload: what arrives, and what a person or a script sees of it.
#include "tus_upload_rig.h"

namespace tus_upload_testing {
namespace {

using testing::ContainsRegex;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

TEST_F(TusUpload, AFileArrivesWithItsNameAndType) {
  auto const file = File("take 42.mp4", 3 * kChunk + 5);
  auto const run = Run({server_.Url(), file});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(Published("take 42.mp4"), ReadFile(file));
  EXPECT_EQ(server_.Stats().received_bytes, 3 * kChunk + 5);
  auto const upload = server_.FindUpload("take 42.mp4");
  EXPECT_EQ(upload->Metadata("filetype"), "video/mp4");
  EXPECT_THAT(upload->metadata, SizeIs(2));
}

TEST_F(TusUpload, SeveralFilesArriveAlsoEmptyOnes) {
  auto const first = File("first", 1000, 1);
  auto const second = File("second", 0);
  auto const third = File("third", kChunk, 3);
  auto const run = Run({server_.Url(), first, second, third});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(server_.Stats().published, 3);
  EXPECT_EQ(Published("first"), ReadFile(first));
  EXPECT_EQ(Published("second"), "");
  EXPECT_EQ(Published("third"), ReadFile(third));
}

TEST_F(TusUpload, OneFileThatFailsDoesNotKeepTheOthersBack) {
  auto const good = File("good", 1000);
  auto const run = Run({"--quiet", server_.Url(), (temp_ / "missing").string(), good});
  EXPECT_EQ(run.code, 1);
  EXPECT_THAT(run.err, HasSubstr("missing' cannot be read: No such file or directory"));
  EXPECT_EQ(Lines(run.err), 1) << run.err;
  EXPECT_EQ(Published("good"), ReadFile(good));
}

TEST_F(TusUpload, StandardInputArrives) {
  auto const file = File("input", 2 * kMiB + 7);
  auto const run = RunFed(file, {"--name", "dump.sql", server_.Url(), "-"});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(Published("dump.sql"), ReadFile(file));
}

TEST_F(TusUpload, EmptyStandardInputArrives) {
  auto const run = Run({server_.Url(), "-"});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(Published("stdin"), "");
}

TEST_F(TusUpload, RunAgainAfterSuccessUploadsAnew) {
  auto const file = File("file", 1000);
  EXPECT_EQ(Run({server_.Url(), file}).code, 0);
  EXPECT_EQ(Run({server_.Url(), file}).code, 0);
  EXPECT_EQ(server_.Stats().published, 2);
}

TEST_F(TusUpload, SaysALineForEachFileAndNothingWhenQuiet) {
  auto const first = File("first", 1000);
  auto const second = File("second", 1000);
  auto const run = Run({server_.Url(), first, second});
  EXPECT_THAT(run.out, IsEmpty());
  EXPECT_EQ(run.err, first + ": uploaded, 1000 B\n" + second + ": uploaded, 1000 B\n");
  auto const quiet = Run({"--quiet", server_.Url(), first, second});
  EXPECT_EQ(quiet.code, 0);
  EXPECT_EQ(quiet.out + quiet.err, "");
}

TEST_F(TusUpload, DrawsABarOnATerminalAndNoneInAPipe) {
  auto const file = File("file", kMiB);
  std::string words;
  for (auto const& word : Program({"--limit-rate", "1MiB", server_.Url(), file})) {
    words += "'" + word + "' ";
  }
  auto const shown = RunProgram({"script", "-qefc", words, "/dev/null"}, 60s);
  EXPECT_EQ(shown.code, 0) << shown.out;
  EXPECT_THAT(shown.out, ContainsRegex("\r.*/file  \\[#+\\.+\\] +[0-9]+%  .* of 1.0 MiB  .*/s"));
  EXPECT_THAT(shown.out, HasSubstr("uploaded, 1.0 MiB"));
  auto const piped = Run({"--limit-rate", "1MiB", server_.Url(), file});
  EXPECT_THAT(piped.err, Not(HasSubstr("\r")));
  EXPECT_THAT(piped.err, Not(HasSubstr("\033")));
}

TEST_F(TusUpload, ShowsNoControlCharactersOfAName) {
  auto const file = File("a\033[2Jb\nc", 10);
  auto const run = Run({server_.Url(), file});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(run.err, HasSubstr("a?[2Jb?c: uploaded"));
}

TEST_F(TusUpload, PrintsTheUrlsOnlyWhenAsked) {
  auto const first = File("first", 1000);
  auto const second = File("second", 1000);
  auto const silent = Run({"--verbose", server_.Url(), first, second});
  for (auto const& upload : server_.Uploads()) {
    EXPECT_THAT(silent.out + silent.err, Not(HasSubstr(upload.id)));
  }
  auto const run = Run({"--print-url", server_.Url(), first, second});
  EXPECT_EQ(run.out, server_.Url() + server_.FindUpload("first")->id + "\n" + server_.Url() +
                         server_.FindUpload("second")->id + "\n");
}

TEST_F(TusUpload, FailsWhereTheUrlsCannotBePrinted) {
  auto command = Program({"--print-url", "--quiet", server_.Url(), File("file", 10)});
  command.insert(command.begin(), {"sh", "-c", "\"$0\" \"$@\" >/dev/full"});
  auto const run = RunProgram(command, 60s);
  EXPECT_EQ(run.code, 1);
  EXPECT_THAT(run.err, HasSubstr("the URLs cannot be printed"));
}

TEST_F(TusUpload, RemembersInTheStateDirectoryOfTheUser) {
  auto const file = File("file", kMiB);
  auto const run_for = [&](std::string const& variables) {
    return RunProgram(
        {"env", "-u", "XDG_STATE_HOME", "-u", "HOME", variables, TUS_UPLOAD, server_.Url(), file},
        60s);
  };
  EXPECT_EQ(run_for("XDG_STATE_HOME=" + (temp_ / "xdg").string()).code, 0);
  EXPECT_TRUE(std::filesystem::is_directory(temp_ / "xdg/tus-upload"));
  EXPECT_EQ(run_for("HOME=" + (temp_ / "home").string()).code, 0);
  EXPECT_TRUE(std::filesystem::is_directory(temp_ / "home/.local/state/tus-upload"));
}

TEST_F(TusUpload, SaysWhatItDoesWhenVerbose) {
  auto const run = Run({"--verbose", server_.Url(), File("file", 3 * kChunk)});
  EXPECT_THAT(run.err, HasSubstr("file: the server has 256.0 KiB of 768.0 KiB\n"));
  EXPECT_THAT(run.err, EndsWith("file: uploaded, 768.0 KiB\n"));
}

}  // namespace
}  // namespace tus_upload_testing
