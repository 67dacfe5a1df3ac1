// Reporter: the states that users see, and that nothing is said to be safe that is not.
#include "filesystem/report.h"

#include <gmock/gmock.h>

#include "filesystem/rig.h"

namespace tusfs {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ReportTest : public FilesystemRig {
 protected:
  std::vector<FileReport> List(std::string const& path = "") {
    auto reports = Reporter(*store_, *spool_, *uploader_, *finishing_).List(path);
    EXPECT_TRUE(Ok(reports));
    return reports.value_or(std::vector<FileReport>{});
  }

  std::vector<std::string> Paths(std::vector<FileReport> const& reports) {
    std::vector<std::string> paths;
    for (auto const& report : reports) paths.push_back(report.path);
    return paths;
  }

  std::vector<std::string> Unfinished(std::string const& path = "") {
    auto const reports = Reporter(*store_, *spool_, *uploader_, *finishing_).Unfinished(path);
    EXPECT_TRUE(Ok(reports));
    return Paths(reports.value_or(std::vector<FileReport>{}));
  }

  StatusReport Status() {
    auto status = Reporter(*store_, *spool_, *uploader_, *finishing_).Status();
    EXPECT_TRUE(Ok(status));
    return status.value_or(StatusReport{});
  }

  // A finished file whose upload is this far.
  FileReport ReportOf(UploadPhase phase, std::uint64_t offset = 0, std::string const& error = "",
                      std::uint64_t part_size = 0) {
    auto const name = "file" + std::to_string(++files_);
    auto const inode = MakeFile(name, "1234567890");
    Upload upload;
    upload.id = Uuid::Random();
    upload.owner = inode;
    upload.phase = phase;
    upload.offset = offset;
    upload.error = error;
    upload.part_size = part_size;
    auto const put = store_->Update([&](Transaction& transaction) -> Result<void> {
      PutUpload(transaction, upload);
      return {};
    });
    EXPECT_TRUE(Ok(put));
    ChangeRow(inode, [&](Inode& row) {
      row.content = Content::kFinished;
      row.upload = upload.id;
    });
    return List(name).at(0);
  }

  int files_ = 0;
};

TEST_F(ReportTest, AFileIsShownAsFarAsItIs) {
  auto const created = Create("a");
  Write(created.handle, 0, "12345");
  EXPECT_EQ(List()[0].state, "writing");
  EXPECT_EQ(List()[0].size, 5U) << "the record lags behind, the report does not";
  Close(created.handle);
  EXPECT_EQ(List()[0].state, "settling");
  for (auto const& [content, state] :
       std::map<Content, std::string>{{Content::kInterrupted, "interrupted"},
                                      {Content::kFailed, "failed"},
                                      {Content::kUploaded, "uploaded"},
                                      {Content::kFinished, "queued"}}) {
    ChangeRow(created.attributes.inode, [&, to = content](Inode& row) { row.content = to; });
    EXPECT_EQ(List()[0].state, state);
  }
}

TEST_F(ReportTest, AFinishedFileIsShownAsFarAsItsUploadIs) {
  EXPECT_EQ(ReportOf(UploadPhase::kIntent).state, "queued");
  EXPECT_EQ(ReportOf(UploadPhase::kCreated, 3).state, "uploading");
  EXPECT_EQ(ReportOf(UploadPhase::kCreated, 3).offset, 3U);
  auto const refused = ReportOf(UploadPhase::kRefused, 0, "no such codec");
  EXPECT_EQ(refused.state, "failed");
  EXPECT_EQ(refused.error, "no such codec");
  EXPECT_EQ(ReportOf(UploadPhase::kUnconfirmed, 0, "why").state, "unconfirmed");
}

TEST_F(ReportTest, WhatIsInPartsIsNotAllThereBeforeTheyAreJoined) {
  EXPECT_EQ(ReportOf(UploadPhase::kParts, 3, "", 4).offset, 3U);
  EXPECT_EQ(ReportOf(UploadPhase::kParts, 10, "", 4).offset, 9U);
  EXPECT_EQ(ReportOf(UploadPhase::kFinalSent, 10, "", 4).offset, 9U);
  EXPECT_EQ(ReportOf(UploadPhase::kVerifying, 10).offset, 10U);
  auto const status = Status();
  EXPECT_LT(status.confirmed, status.accepted);
}

TEST_F(ReportTest, WhyAFileIsInterruptedIsShown) {
  auto const created = Create("a");
  Write(created.handle, 0, "x");
  processes_.Kill(me_.pid);
  Close(created.handle);
  EXPECT_THAT(List()[0].error, HasSubstr("SIGKILL"));
}

TEST_F(ReportTest, AFileThatIsRenamedAfterItsUploadSaysUnderWhichNameItIsThere) {
  auto const d = MakeDir("d");
  auto const inode = MakeFile("clip", "12345");
  auto const id = GiveUpload(inode, 5, UploadPhase::kComplete);
  ASSERT_TRUE(Ok(store_->Update([&](Transaction& transaction) -> Result<void> {
    auto upload = FindUpload(transaction, id).value();
    upload->path = "clip";
    PutUpload(transaction, *upload);
    return {};
  })));
  ChangeRow(inode, [](Inode& row) { row.content = Content::kUploaded; });
  EXPECT_EQ(List("clip")[0].error, "");
  ASSERT_TRUE(Ok(fs_->Rename(me_, kRootInode, "clip", d, "tape", 0)));
  EXPECT_EQ(List()[0].path, "d/tape");
  EXPECT_EQ(List()[0].state, "uploaded");
  EXPECT_EQ(List()[0].error, "uploaded as clip");
  EXPECT_EQ(Row(inode).upload, id);
}

TEST_F(ReportTest, AFileThatWasChangedAfterItsUploadSaysHowLongItSettles) {
  settle_ = std::chrono::seconds(2);
  Remount();
  auto const inode = MakeFile("log", "12345");
  ChangeRow(inode, [](Inode& row) { row.regrown = 3; });
  EXPECT_EQ(List()[0].error, "was changed after it was uploaded, and settles for 16 s");
  EXPECT_TRUE(List()[0].finishes);
}

TEST_F(ReportTest, ATemporaryNameSaysWhatItWaitsFor) {
  MakeFile("clip.mov.part", "x");
  EXPECT_EQ(List()[0].state, "settling");
  EXPECT_THAT(List()[0].error, HasSubstr("final name"));
}

TEST_F(ReportTest, AFileThatIsHeldSaysWhatItWaitsFor) {
  for (auto const& [by, why] :
       std::map<FinishBy, std::string>{{FinishBy::kRename, "waits for a rename"},
                                       {FinishBy::kCommand, "waits for the command"},
                                       {FinishBy::kManual, "waits for tusfsctl publish"}}) {
    rules_.finish = {{Glob::Parse("*").value(), by}};
    Remount();
    auto const inode = MakeFile("clip", "x");
    EXPECT_EQ(List()[0].state, "settling");
    EXPECT_EQ(List()[0].error, why);
    EXPECT_EQ(List()[0].finishes, by == FinishBy::kCommand) << why;
    ChangeRow(inode, [](Inode& row) { row.approved = true; });
    EXPECT_EQ(List()[0].error, "");
    EXPECT_TRUE(List()[0].finishes);
    ASSERT_TRUE(Ok(fs_->Unlink(me_, kRootInode, "clip")));
  }
}

TEST_F(ReportTest, AnInterruptedFileThatIsPublishedAsItIsFinishesByItself) {
  auto const inode = MakeFile("clip", "x");
  ChangeRow(inode, [](Inode& row) {
    row.content = Content::kInterrupted;
    row.reason = "killed";
  });
  EXPECT_FALSE(List()[0].finishes);
  rules_.publish_interrupted = true;
  Remount();
  EXPECT_EQ(List()[0].state, "interrupted");
  EXPECT_EQ(List()[0].error, "killed");
  EXPECT_TRUE(List()[0].finishes);
}

TEST_F(ReportTest, WhatIsNoFileOrDirectoryIsLocalOnlyAndSaysWhy) {
  for (auto const& [type, why] :
       std::map<FileType, std::string>{{FileType::kSymlink, "a symbolic link"},
                                       {FileType::kFifo, "a named pipe"},
                                       {FileType::kSocket, "a socket"},
                                       {FileType::kCharDevice, "a device"},
                                       {FileType::kBlockDevice, "a device"}}) {
    ASSERT_TRUE(Ok(fs_->MakeSymlink(me_, kRootInode, "special", "target")));
    ChangeRow(InodeOf("special"), [kind = type](Inode& row) { row.type = kind; });
    EXPECT_EQ(List().at(0).state, "local-only");
    EXPECT_THAT(List().at(0).error, HasSubstr(why));
    EXPECT_FALSE(List().at(0).finishes);
    ASSERT_TRUE(Ok(fs_->Unlink(me_, kRootInode, "special")));
  }
}

TEST_F(ReportTest, AnIgnoredNameIsLocalOnlyAndNamesThePattern) {
  auto const created = Create("._clip.mov");
  Write(created.handle, 0, "12345");
  EXPECT_EQ(List()[0].state, "local-only") << "while it is written, too";
  Close(created.handle);
  EXPECT_EQ(List()[0].state, "local-only");
  EXPECT_EQ(List()[0].error, "its name matches the ignored pattern ._*");
  EXPECT_FALSE(List()[0].finishes);
  auto const status = Status();
  EXPECT_EQ(status.accepted, 0U);
  EXPECT_GT(status.spool_used, 0U) << "its bytes are here all the same";
}

TEST_F(ReportTest, AnIgnoredNameDoesNotHideThatAFileWasUploaded) {
  auto const inode = MakeFile("clip.mov~", "12345");
  ChangeRow(inode, [](Inode& row) { row.content = Content::kUploaded; });
  EXPECT_EQ(List()[0].state, "uploaded");
  ChangeRow(inode, [](Inode& row) { row.content = Content::kFinished; });
  GiveUpload(inode, 5, UploadPhase::kUnconfirmed);
  EXPECT_EQ(List()[0].state, "unconfirmed");
}

TEST_F(ReportTest, AnEmptyDirectoryIsLocalOnlyUntilThereIsAFileInIt) {
  auto const d = MakeDir("d");
  auto const e = MakeDir("e", d);
  ASSERT_THAT(Paths(List()), ElementsAre("d/e"));
  EXPECT_EQ(List()[0].state, "local-only");
  EXPECT_THAT(List()[0].error, HasSubstr("empty directory"));
  MakeFile("x", "", e);
  EXPECT_THAT(Paths(List()), ElementsAre("d/e/x"));
}

TEST_F(ReportTest, WhatIsLocalOnlyIsCounted) {
  MakeDir("empty");
  auto const inode = MakeFile("first", "12345");
  ASSERT_TRUE(Ok(fs_->Link(me_, inode, kRootInode, "second")));
  ASSERT_TRUE(Ok(fs_->MakeSymlink(me_, kRootInode, "link", "first")));
  MakeFile(".DS_Store", "x");
  EXPECT_EQ(Status().files.at("local-only"), 4U);
}

TEST_F(ReportTest, ASecondNameIsLocalOnlyAndItsBytesCountOnce) {
  auto const inode = MakeFile("first", "12345");
  ASSERT_TRUE(Ok(fs_->Link(me_, inode, kRootInode, "second")));
  auto const files = List();
  ASSERT_THAT(Paths(files), ElementsAre("first", "second"));
  EXPECT_EQ(files[0].state, "settling");
  EXPECT_EQ(files[1].state, "local-only");
  EXPECT_EQ(files[1].error, "another name of first");
  EXPECT_FALSE(files[1].finishes);
  EXPECT_EQ(List("second")[0].state, "local-only") << "asked for by its name, too";
  EXPECT_EQ(List("first")[0].state, "settling");
  EXPECT_EQ(Status().accepted, 5U);
  EXPECT_EQ(Status().spool_used, spool_->budget().used());
}

TEST_F(ReportTest, WhoeverAsksForASecondNameIsNotToldThatItIsSafe) {
  auto const d = MakeDir("d");
  auto const inode = MakeFile("first", "12345");
  ASSERT_TRUE(Ok(fs_->Link(me_, inode, d, "second")));
  EXPECT_THAT(Unfinished("d"), ElementsAre("d/second"));
  EXPECT_THAT(Unfinished("d/second"), ElementsAre("d/second"));
  EXPECT_THAT(Unfinished("first"), ElementsAre("first"));
}

TEST_F(ReportTest, AStatusIsTheSumOfTheList) {
  auto const d = MakeDir("d");
  auto const e = MakeDir("e", d);
  MakeDir("empty", e);
  MakeDir("gone", d);
  ASSERT_TRUE(Ok(fs_->RemoveDirectory(me_, d, "gone")));
  auto const first = MakeFile("first", "12345", e);
  ASSERT_TRUE(Ok(fs_->Link(me_, first, kRootInode, "second")));
  ASSERT_TRUE(Ok(fs_->Link(me_, first, d, "third")));
  ASSERT_TRUE(Ok(fs_->MakeSymlink(me_, e, "link", "first")));
  MakeFile(".DS_Store", "junk", d);
  MakeFile("clip.part", "temporary");
  auto const open = Create("open");
  Write(open.handle, 0, "the record lags behind");
  auto const nameless = Create("nameless");
  Write(nameless.handle, 0, "no name, no report");
  ASSERT_TRUE(Ok(fs_->Unlink(me_, kRootInode, "nameless")));
  ReportOf(UploadPhase::kIntent);
  ReportOf(UploadPhase::kCreated, 3);
  ReportOf(UploadPhase::kCreated, 99);
  ReportOf(UploadPhase::kUnconfirmed, 10, "why");
  ReportOf(UploadPhase::kRefused, 0, "why");
  for (bool const here : {true, false}) {
    auto const uploaded = MakeFile(here ? "uploaded" : "stub", "123456", d);
    GiveUpload(uploaded, 6, UploadPhase::kComplete);
    ChangeRow(uploaded, [here](Inode& row) {
      row.content = Content::kUploaded;
      if (!here) row.version = 0;
    });
  }
  for (int i = 0; i < 1000; ++i) MakeDir("many" + std::to_string(i));

  StatusReport sum;
  for (auto const& file : List()) {
    ++sum.files[file.state];
    if (file.state == "local-only") continue;
    sum.accepted += file.size;
    // What may be published, or may be forgotten, is not safe.
    if (file.state != "unconfirmed") sum.confirmed += std::min(file.offset, file.size);
  }
  auto const status = Status();
  EXPECT_EQ(status.files, sum.files);
  EXPECT_EQ(status.files.at("local-only"), 1005U);
  EXPECT_EQ(status.files.at("uploaded"), 2U);
  EXPECT_EQ(status.accepted, sum.accepted);
  EXPECT_EQ(status.confirmed, sum.confirmed);
}

TEST_F(ReportTest, WhatAPowerCutHasLeftIsSaidAndIsNotSafe) {
  auto const created = Create("a", O_RDWR);
  Write(created.handle, 0, "12345");
  ASSERT_TRUE(Ok(fs_->Sync(created.handle)));
  Write(created.handle, 5, "678");
  Close(created.handle);
  auto const path = PathOf(created.attributes.inode);
  Unmount();
  std::filesystem::resize_file(path, 7);
  Mount("second boot");
  auto const file = List().at(0);
  EXPECT_EQ(file.state, "interrupted");
  EXPECT_EQ(file.size, 5U);
  EXPECT_EQ(file.held, 2U);
  EXPECT_EQ(file.missing, 1U);
  EXPECT_THAT(file.error, HasSubstr("machine stopped"));
  EXPECT_THAT(file.error, HasSubstr("of its 8 bytes 5 are known to be whole, 2 more are kept"));
  EXPECT_THAT(file.error, HasSubstr("publish --rest"));
  EXPECT_EQ(Status().accepted, 8U);
  EXPECT_EQ(Status().held, 2U);
  EXPECT_EQ(Status().confirmed, 0U);
}

TEST_F(ReportTest, AListKeepsToItsPath) {
  auto const d = MakeDir("d");
  auto const e = MakeDir("e", d);
  MakeDir("empty", d);
  MakeFile("d2");
  MakeFile("x", "", d);
  MakeFile("y", "", e);
  EXPECT_THAT(Paths(List()), testing::UnorderedElementsAre("d2", "d/x", "d/e/y", "d/empty"));
  EXPECT_THAT(Paths(List("d")), testing::UnorderedElementsAre("d/x", "d/e/y", "d/empty"));
  EXPECT_THAT(Paths(List("d/e")), ElementsAre("d/e/y"));
  EXPECT_THAT(Paths(List("d/empty")), ElementsAre("d/empty"));
  EXPECT_THAT(Unfinished("d"), testing::UnorderedElementsAre("d/x", "d/e/y"));
  Reporter const reporter(*store_, *spool_, *uploader_, *finishing_);
  EXPECT_EQ(CodeOf(reporter.List("nothing")), ENOENT);
  EXPECT_EQ(CodeOf(reporter.Unfinished("d2/below")), ENOTDIR);
}

TEST_F(ReportTest, ALargeDirectoryIsListedWhole) {
  for (int i = 0; i < 2500; ++i) {
    auto const made = fs_->MakeSymlink(me_, kRootInode, "l" + std::to_string(i), "t");
    ASSERT_TRUE(Ok(made));
  }
  EXPECT_EQ(List().size(), 2500U);
}

TEST_F(ReportTest, AFileWithoutANameIsNotShown) {
  auto const created = Create("a");
  ASSERT_TRUE(Ok(fs_->Unlink(me_, kRootInode, "a")));
  EXPECT_THAT(List(), IsEmpty());
  EXPECT_THAT(Unfinished(), IsEmpty());
  Close(created.handle);
}

}  // namespace
}  // namespace tusfs
