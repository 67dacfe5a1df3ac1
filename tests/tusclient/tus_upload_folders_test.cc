// tus-upload -r: what is in a folder arrives, in a known order, and nothing else does.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "tus_upload_rig.h"

namespace tus_upload_testing {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

class TusUploadOfFolders : public TusUpload {
 protected:
  std::string const folder_ = (temp_ / "folder").string();

  void SetUp() override { std::filesystem::create_directory(folder_); }

  /// A file of its own name in the folder.
  std::string Put(std::string const& name) const {
    auto const path = std::filesystem::path(folder_) / name;
    std::filesystem::create_directories(path.parent_path());
    WriteFile(path, name);
    return path.string();
  }
  Finished RunRecursive(Command const& more = {}) const {
    Command command{"-r", "--metadata", "where={path}"};
    command.insert(command.end(), more.begin(), more.end());
    command.insert(command.end(), {server_.Url(), folder_});
    return Run(command);
  }
  /// The metadata `where` of all uploads, as they were created.
  [[nodiscard]] std::vector<std::string> Paths() const {
    std::vector<std::string> paths;
    for (auto const& upload : server_.Uploads()) paths.push_back(upload.Metadata("where"));
    return paths;
  }
  /// … without the path of the folder.
  [[nodiscard]] std::vector<std::string> InnerPaths() const {
    auto paths = Paths();
    for (auto& path : paths) {
      EXPECT_THAT(path, StartsWith(folder_.substr(1) + "/"));
      path.erase(0, folder_.size());
    }
    return paths;
  }
};

TEST_F(TusUploadOfFolders, ArriveWholeSortedByTheBytesOfTheNames) {
  for (auto const* const name : {"b", "a.x", "a/z", "a/.hidden", "a/deep/er/file", "B", "ä"}) {
    Put(name);
  }
  auto const run = RunRecursive();
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(InnerPaths(),
              ElementsAre("B", "a/.hidden", "a/deep/er/file", "a/z", "a.x", "b", "ä"));
  EXPECT_EQ(Lines(run.err), 7) << run.err;
  EXPECT_EQ(server_.Content(server_.Uploads()[2].id), "a/deep/er/file");
}

TEST_F(TusUploadOfFolders, HaveThePathsThatTheyWereNamedBy) {
  Put("a/b");
  for (auto const& [name, path] : {std::pair("folder", "folder/a/b"),
                                   {"./folder/", "folder/a/b"},
                                   {"folder//a/..", "folder/a/b"},
                                   {"../folder/a", "folder/a/b"}}) {
    auto const where = std::string_view(name).starts_with("..") ? temp_ / "folder" : temp_.path();
    auto const run =
        RunIn(where, Program({"-r", "--metadata", "where={path}", server_.Url(), name}));
    EXPECT_EQ(run.code, 0) << run.err;
    EXPECT_EQ(Paths().back(), path) << name;
    EXPECT_EQ(server_.Uploads().back().Metadata("filename"), "b");
  }
  EXPECT_EQ(RunIn(folder_, Program({"-r", "--metadata", "where={path}", server_.Url(), "."})).code,
            0);
  EXPECT_EQ(Paths().back(), "a/b");
}

TEST_F(TusUploadOfFolders, MayHaveNamesOfAnyBytes) {
  Put("new\nline");
  Put("not \xFF utf-8");
  auto const run = RunRecursive();
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(InnerPaths(), ElementsAre("new\nline", "not \xFF utf-8"));
  EXPECT_EQ(Lines(run.err), 2) << run.err;
}

TEST_F(TusUploadOfFolders, GoBesideFiles) {
  Put("b");
  auto const file = File("file", 10);
  auto const run = Run({"--recursive", server_.Url(), folder_, file});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(server_.Stats().published, 2);
}

TEST_F(TusUploadOfFolders, AreNotUploadedUnlessAskedFor) {
  Put("a");
  auto const run = Run({"--quiet", server_.Url(), folder_});
  EXPECT_EQ(run.code, 1);
  EXPECT_EQ(run.err, "tus-upload: '" + folder_ +
                         "' is a directory: name the files in it, or upload all that is in it "
                         "with -r\n");
  EXPECT_EQ(server_.Stats().posts, 0);
}

TEST_F(TusUploadOfFolders, SayWhenThereIsNothingInThem) {
  std::filesystem::create_directory(folder_ + "/empty");
  auto const run = RunRecursive();
  EXPECT_EQ(run.code, 0);
  EXPECT_EQ(run.err, folder_ + ": there is nothing to upload in it\n");
  EXPECT_EQ(RunRecursive({"--quiet"}).err, "");
  EXPECT_EQ(server_.Stats().options, 0);
}

TEST_F(TusUploadOfFolders, LeaveLinksOutThatWereNotNamed) {
  auto const file = Put("file");
  std::filesystem::create_symlink(file, folder_ + "/link");
  std::filesystem::create_symlink("..", folder_ + "/loop");
  std::filesystem::create_symlink("nowhere", folder_ + "/broken");
  auto const run = RunRecursive();
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(InnerPaths(), ElementsAre("file"));
  EXPECT_EQ(Lines(run.err), 4) << run.err;
  for (auto const* const name : {"link", "loop", "broken"}) {
    EXPECT_THAT(run.err, HasSubstr(folder_ + "/" + name +
                                   ": is skipped: it is a symbolic link, and not named itself\n"));
  }
  EXPECT_EQ(RunRecursive({"--quiet"}).err, "");
}

TEST_F(TusUploadOfFolders, AreFoundThroughLinksThatWereNamed) {
  auto const file = Put("file");
  std::filesystem::create_symlink(file, temp_ / "to-file");
  std::filesystem::create_directory_symlink(folder_, temp_ / "to-folder");
  auto const run =
      RunIn(temp_.path(),
            Program({"-r", "--metadata", "where={path}", server_.Url(), "to-file", "to-folder"}));
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(Paths(), ElementsAre("to-file", "to-folder/file"));
}

TEST_F(TusUploadOfFolders, LeaveOutWhatIsNoFile) {
  Put("file");
  ASSERT_EQ(::mkfifo((folder_ + "/pipe").c_str(), 0600), 0);
  int const fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  auto const path = folder_ + "/socket";
  ASSERT_LT(path.size(), sizeof address.sun_path);
  path.copy(address.sun_path, path.size());
  ASSERT_EQ(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ::close(fd);
  auto const run = RunRecursive();
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(InnerPaths(), ElementsAre("file"));
  EXPECT_THAT(run.err, HasSubstr("/pipe: is skipped: it is a named pipe\n"));
  EXPECT_THAT(run.err, HasSubstr("/socket: is skipped: it is a socket\n"));
}

TEST_F(TusUploadOfFolders, LeaveOutWhatIsRememberedInThem) {
  Put("file");
  auto const state = folder_ + "/state";
  Command const command{TUS_UPLOAD,    "-r",    "--state-dir",   state,
                        server_.Url(), folder_, File("other", 1)};
  EXPECT_EQ(RunProgram(command, 60s).code, 0);
  EXPECT_EQ(server_.Stats().published, 2);
  auto const run = RunProgram(command, 60s);
  EXPECT_EQ(server_.Stats().published, 4);
  EXPECT_THAT(run.err, HasSubstr(state + ": is skipped: unfinished uploads are remembered in it"));
}

TEST_F(TusUploadOfFolders, ThatMayNotBeReadFailAndTheOthersGoOn) {
  Put("closed/file");
  Put("open/file");
  Put("shut");
  ASSERT_EQ(::chmod((folder_ + "/closed").c_str(), 0), 0);
  ASSERT_EQ(::chmod((folder_ + "/shut").c_str(), 0), 0);
  auto const run =
      RunProgram(Unprivileged(Program({"--quiet", "-r", server_.Url(), folder_})), 60s);
  EXPECT_EQ(run.code, 1);
  EXPECT_EQ(Lines(run.err), 2) << run.err;
  EXPECT_THAT(run.err, HasSubstr("tus-upload: '" + folder_ +
                                 "/closed' cannot be read: Permission denied: run the same"));
  EXPECT_THAT(run.err, HasSubstr("/shut' cannot be read: Permission denied: run the same"));
  EXPECT_EQ(server_.Stats().published, 1);
  ASSERT_EQ(::chmod((folder_ + "/closed").c_str(), 0700), 0);
}

TEST_F(TusUploadOfFolders, MayLoseFilesMeanwhile) {
  Put("a");
  auto const vanishing = Put("b");
  Put("c");
  server_.AddFault({.method = "POST", .nth = 1, .action = Fault::StallUntilReleased()});
  ChildProcess child;
  child.Start(Program({"--quiet", "-r", server_.Url(), folder_}), temp_ / "out", temp_ / "err");
  ASSERT_TRUE(WaitFor([&] { return server_.Stalled() == 1; }));
  std::filesystem::remove(vanishing);
  server_.ReleaseStalled();
  EXPECT_EQ(child.Wait(30s)->code, 1);
  auto const err = ReadFile(temp_ / "err");
  EXPECT_EQ(Lines(err), 1) << err;
  EXPECT_THAT(err, HasSubstr("'" + vanishing + "' cannot be read: No such file or directory"));
  EXPECT_EQ(server_.Stats().published, 2);
  EXPECT_EQ(Run({"-r", server_.Url(), folder_}).code, 0);
  EXPECT_EQ(server_.Stats().published, 2)
      << "the others were uploaded, and this is the same command";
  EXPECT_EQ(Records(), 0);
}

TEST_F(TusUploadOfFolders, DoNotLeadElsewhereByALinkThatCameMeanwhile) {
  Put("a");
  auto const changing = Put("b");
  server_.AddFault({.method = "POST", .nth = 1, .action = Fault::StallUntilReleased()});
  ChildProcess child;
  child.Start(Program({"--quiet", "-r", server_.Url(), folder_}), temp_ / "out", temp_ / "err");
  ASSERT_TRUE(WaitFor([&] { return server_.Stalled() == 1; }));
  std::filesystem::remove(changing);
  std::filesystem::create_symlink("/etc/passwd", changing);
  server_.ReleaseStalled();
  EXPECT_EQ(child.Wait(30s)->code, 1);
  EXPECT_THAT(ReadFile(temp_ / "err"), HasSubstr("'" + changing + "' is a symbolic link"));
  EXPECT_EQ(server_.Stats().published, 1);
}

TEST_F(TusUploadOfFolders, ForgetAllWhenTheCommandHasEndedWell) {
  Put("a");
  auto const gone = Put("b");
  auto const refused = Put("c");
  server_.AddFault(OnCreationOf("c", Fault::Answer(422, "not that one")));
  EXPECT_EQ(RunRecursive({"--quiet"}).code, 1);
  EXPECT_EQ(server_.Stats().published, 2);
  EXPECT_EQ(Records(), 1);
  server_.ClearFaults();
  std::filesystem::remove(gone);
  auto const run = RunRecursive();
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(run.err, HasSubstr("/a: was uploaded before this command was interrupted\n"));
  EXPECT_EQ(server_.Stats().published, 3);
  EXPECT_EQ(Records(), 0) << "also what was remembered of a file that is gone";
}

TEST_F(TusUploadOfFolders, UploadAFileOnceThatIsNamedTwice) {
  Put("a");
  auto const file = Put("b");
  auto const run = Run({"--print-url", "-r", server_.Url(), folder_, file, folder_ + "/../folder"});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(server_.Stats().published, 2);
  EXPECT_THAT(run.err, HasSubstr(file + ": is named twice, and counts once\n"));
  auto const url = [&](std::string const& name) {
    return server_.Url() + server_.FindUpload(name)->id + "\n";
  };
  EXPECT_EQ(run.out, url("a") + url("b") + url("b") + url("a") + url("b"))
      << "a URL for each time that it is named";
}

TEST_F(TusUploadOfFolders, UploadAFileTwiceThatIsNamedByPathsThatTheServerSees) {
  auto const file = File("file", 10);
  auto const run = RunIn(
      temp_.path(), Program({"--metadata", "where={path}", server_.Url(), "file", file, "./file"}));
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(Paths(), ElementsAre("file", file.substr(1)));
}

TEST_F(TusUploadOfFolders, CanBeAbandoned) {
  server_.SetRate(4 * kMiB);
  static_cast<void>(File("folder/a", 2 * kMiB));
  Put("b");
  KillAfter(kMiB, Program({"-r", server_.Url(), folder_}));
  auto const run = Run({"--abandon", "-r", server_.Url(), folder_});
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_THAT(run.err, AllOf(HasSubstr("/a: its unfinished upload is deleted\n"),
                             EndsWith("/b: no unfinished upload is known\n")));
  EXPECT_THAT(server_.Uploads(), IsEmpty());
  EXPECT_EQ(Records(), 0);
}

}  // namespace
}  // namespace tus_upload_testing
