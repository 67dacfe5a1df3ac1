// Spool: one file a version, one object a version, and nothing removed that is not ours.
#include "spool/spool.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/resource.h>

#include <set>

#include "base/fakes.h"
#include "testing/files.h"

namespace tusfs {
namespace {

using tusfs_testing::ReadFile;
using tusfs_testing::TempDir;
using tusfs_testing::WriteFile;

class SpoolTest : public testing::Test {
 protected:
  std::shared_ptr<Version> Make(VersionId id, std::string const& bytes = "bytes") {
    auto version = spool_->Create(id);
    EXPECT_TRUE(Ok(version));
    if (!version) return nullptr;
    EXPECT_TRUE(Ok((*version)->Write(0, std::as_bytes(std::span(bytes)))));
    return *version;
  }

  std::set<std::string> Files() {
    std::set<std::string> files;
    for (auto const& entry : std::filesystem::recursive_directory_iterator(path_)) {
      if (entry.is_regular_file()) files.insert(entry.path().lexically_relative(path_).string());
    }
    return files;
  }

  TempDir const dir_;
  std::filesystem::path const path_ = dir_ / "spool";
  std::unique_ptr<Spool> spool_ = Spool::Open(path_).value();
};

TEST_F(SpoolTest, FilesLeaveDescriptorsForEverythingElse) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit const few{80, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  std::vector<std::shared_ptr<Version>> open;
  VersionId id = 1;
  auto made = spool_->Create(id);
  for (; made; made = spool_->Create(++id)) open.push_back(*made);
  EXPECT_EQ(CodeOf(made), EMFILE);
  EXPECT_GT(open.size(), 20U);
  EXPECT_TRUE(OpenFile("/proc/self/stat", O_RDONLY)) << "nothing is left";
  EXPECT_EQ(Files().size(), open.size()) << "what was refused is not there";
  open.pop_back();
  EXPECT_TRUE(Ok(spool_->Create(++id)));
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

TEST_F(SpoolTest, AVersionThatIsKeptKnowsWhatWasWrittenToIt) {
  auto version = Make(1);
  auto* const address = version.get();
  spool_->KeepOpen(std::move(version));
  EXPECT_EQ(spool_->FindOpen(1).get(), address);
  EXPECT_EQ(spool_->Find(1, 5).value().get(), address);
  spool_->LetGo(1);
  EXPECT_EQ(spool_->FindOpen(1), nullptr);
}

TEST_F(SpoolTest, AVersionThatIsKeptGoesWithItsFile) {
  auto version = Make(1);
  spool_->KeepOpen(version);
  EXPECT_TRUE(Ok(spool_->Remove(1)));
  std::weak_ptr<Version> const rest = version;
  spool_->KeepOpen(version);  // somebody closes it now
  version.reset();
  EXPECT_TRUE(rest.expired());
  EXPECT_EQ(spool_->budget().used(), 0U);
}

// Whoever waits for room is told that it comes, until Remove returns.
TEST_F(SpoolTest, ALargeVersionThatIsOnlyKeptHasGivenItsRoomBackWhenItIsRemoved) {
  auto version = spool_->Create(1).value();
  std::string const large(std::size_t{20} << 20, 'x');
  EXPECT_TRUE(Ok(version->Write(0, std::as_bytes(std::span(large)))));
  spool_->KeepOpen(std::move(version));
  EXPECT_GE(spool_->budget().used(), large.size());
  EXPECT_TRUE(Ok(spool_->Remove(1)));
  EXPECT_EQ(spool_->budget().used(), 0U);
}

TEST_F(SpoolTest, WhatIsKeptIsInNobodysWay) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit const few{80, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  for (VersionId id = 1; id <= 200; ++id) {
    auto version = spool_->Create(id);
    ASSERT_TRUE(Ok(version)) << id;
    spool_->KeepOpen(std::move(*version));
  }
  EXPECT_TRUE(Ok(spool_->Find(1, 0)));
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

TEST_F(SpoolTest, NoMoreAreKeptThanTheHeaderSays) {
  for (VersionId id = 1; id <= Spool::kMostKept + 1; ++id) {
    spool_->KeepOpen(spool_->Create(id).value());
  }
  EXPECT_EQ(spool_->FindOpen(1), nullptr);
  EXPECT_NE(spool_->FindOpen(2), nullptr);
  EXPECT_NE(spool_->FindOpen(Spool::kMostKept + 1), nullptr);
}

TEST_F(SpoolTest, VersionsLieWhereTheHeaderSays) {
  Make(1);
  Make(4096);
  Make(0xabcdef);
  EXPECT_EQ(Files(), (std::set<std::string>{"0/1", "1/1000", "abc/abcdef"}));
}

TEST_F(SpoolTest, StaysInTheDirectoryThatItOpenedWhateverItsNameLeadsTo) {
  ASSERT_TRUE(Ok(spool_->Create(1)));
  std::filesystem::rename(path_, dir_ / "moved");
  std::filesystem::create_directory(dir_ / "elsewhere");
  std::filesystem::create_directory_symlink(dir_ / "elsewhere", path_);
  EXPECT_TRUE(Ok(spool_->Create(2)));
  EXPECT_TRUE(Ok(spool_->Create(5000)));
  EXPECT_TRUE(Ok(spool_->Remove(1)));
  EXPECT_TRUE(std::filesystem::is_empty(dir_ / "elsewhere"));
  EXPECT_FALSE(std::filesystem::exists(dir_ / "moved/0/1"));
  EXPECT_TRUE(std::filesystem::exists(dir_ / "moved/0/2"));
}

TEST_F(SpoolTest, ALinkIsNoVersion) {
  ASSERT_TRUE(Ok(spool_->Create(1)));
  WriteFile(dir_ / "treasure", "x");
  std::filesystem::create_symlink(dir_ / "treasure", path_ / "0/2");
  EXPECT_EQ(CodeOf(spool_->Find(2, 1)), ELOOP);
}

TEST_F(SpoolTest, OnlyTheUserMayLookInside) {
  Make(1);
  namespace fs = std::filesystem;
  EXPECT_EQ(fs::status(path_).permissions(), fs::perms::owner_all);
  EXPECT_EQ(fs::status(path_ / "0" / "1").permissions(),
            fs::perms::owner_read | fs::perms::owner_write);
}

TEST_F(SpoolTest, AVersionIsNeverMadeTwice) {
  Make(1, "precious");
  EXPECT_EQ(CodeOf(spool_->Create(1)), EEXIST);
  EXPECT_EQ(ReadFile(path_ / "0" / "1"), "precious");
}

TEST_F(SpoolTest, WriterAndUploaderShareOneObject) {
  auto const made = Make(1);
  EXPECT_EQ(spool_->Find(1, 0).value(), made);
  EXPECT_EQ(spool_->FindOpen(1), made);
}

TEST_F(SpoolTest, AVersionThatNobodyHasOpenIsOpenedWithTheSizeAsked) {
  Make(1).reset();
  EXPECT_EQ(spool_->FindOpen(1), nullptr);
  EXPECT_EQ(spool_->Find(1, 3).value()->size(), 3U);
  EXPECT_EQ(spool_->Find(1, 100).value()->size(), 5U) << "never more than there is";
  EXPECT_EQ(CodeOf(spool_->Find(2, 0)), ENOENT);
}

TEST_F(SpoolTest, ThousandsOfVersionsComeAndGo) {
  auto const kept = Make(1);
  for (VersionId id = 2; id < 2000; ++id) Make(id, "x");
  EXPECT_EQ(spool_->Find(1, 0).value(), kept) << "an open one is not forgotten";
  EXPECT_EQ(spool_->Find(1999, 1).value()->size(), 1U);
}

TEST_F(SpoolTest, ARemovedVersionStaysReadableForThoseWhoHaveItOpen) {
  auto const version = Make(1);
  ASSERT_TRUE(Ok(spool_->Remove(1)));
  EXPECT_TRUE(Files().empty());
  std::string bytes(5, '?');
  EXPECT_TRUE(Ok(version->Read(0, std::as_writable_bytes(std::span(bytes)))));
  EXPECT_EQ(bytes, "bytes");
  EXPECT_EQ(CodeOf(spool_->Find(1, 5)), ENOENT);
  EXPECT_TRUE(Ok(spool_->Remove(1))) << "a missing one is success";
}

TEST_F(SpoolTest, TheSweepRemovesWhatIsUnwantedAndOurs) {
  Make(1);
  Make(2);
  Make(0x1002);
  WriteFile(path_ / "0" / "notes.txt", "a person's");
  WriteFile(path_ / "0" / "1005", "in the wrong directory");
  WriteFile(path_ / "0" / "0003", "not as we write numbers");
  WriteFile(path_ / "0" / "A", "nor this");
  WriteFile(path_ / "7", "nor here");
  auto const swept = spool_->Sweep([](VersionId id) { return id == 2; });
  ASSERT_TRUE(Ok(swept));
  EXPECT_EQ(*swept, 2U);
  EXPECT_EQ(Files(), (std::set<std::string>{"0/2", "0/notes.txt", "0/1005", "0/0003", "0/A", "7"}));
}

TEST_F(SpoolTest, TheSweepOfAnEmptySpoolRemovesNothing) {
  EXPECT_EQ(spool_->Sweep([](VersionId) { return false; }), 0U);
}

TEST_F(SpoolTest, SpaceIsThatOfItsDisk) {
  auto const space = spool_->Measure();
  ASSERT_TRUE(Ok(space));
  EXPECT_GT(space->capacity, 0U);
  EXPECT_LE(space->free, space->capacity);
}

TEST_F(SpoolTest, AnUnusableDirectoryIsRefusedWithItsName) {
  WriteFile(dir_ / "file", "");
  auto const spool = Spool::Open(dir_ / "file");
  ASSERT_FALSE(spool);
  EXPECT_THAT(Describe(spool.error()), testing::HasSubstr("file"));
}

// ---- what it takes

constexpr std::uint64_t kMegabyte = 1 << 20;

class SpoolBudgetTest : public SpoolTest {
 protected:
  std::shared_ptr<Version> MakeLarge(VersionId id) { return Make(id, std::string(kMegabyte, 'x')); }
  [[nodiscard]] std::uint64_t Used() const { return spool_->budget().used(); }
};

TEST_F(SpoolBudgetTest, CountsWhatTheDiskGives) {
  auto const version = MakeLarge(1);
  EXPECT_EQ(Used(), kMegabyte);
  EXPECT_TRUE(Ok(version->Write(10 * kMegabyte, std::as_bytes(std::span("x").first(1)))));
  EXPECT_EQ(Used(), kMegabyte + 4096) << "a hole takes nothing";
  EXPECT_TRUE(Ok(version->Truncate(kMegabyte / 2)));
  EXPECT_EQ(Used(), kMegabyte / 2);
}

TEST_F(SpoolBudgetTest, WhatIsRemovedIsFreeWhenNobodyHasItOpen) {
  auto open = MakeLarge(1);
  MakeLarge(2);
  EXPECT_TRUE(Ok(spool_->Remove(1)));
  EXPECT_TRUE(Ok(spool_->Remove(2)));
  EXPECT_EQ(Used(), kMegabyte);
  open.reset();
  EXPECT_EQ(Used(), 0U);
}

TEST_F(SpoolBudgetTest, AFileThatWasClosedStillCounts) {
  MakeLarge(1);
  EXPECT_EQ(Used(), kMegabyte);
}

TEST_F(SpoolBudgetTest, ScratchFilesHaveNoNameAndAreNotCounted) {
  auto const one = spool_->Scratch();
  auto const other = spool_->Scratch();
  ASSERT_TRUE(Ok(one));
  ASSERT_TRUE(Ok(other));
  EXPECT_TRUE(Ok(WriteFully(one->get(), std::as_bytes(std::span("here", 4)), kMegabyte)));
  std::string got(4, '\0');
  EXPECT_EQ(ReadFully(one->get(), std::as_writable_bytes(std::span(got)), kMegabyte).value(), 4U);
  EXPECT_EQ(got, "here");
  EXPECT_EQ(ReadFully(other->get(), std::as_writable_bytes(std::span(got)), 0).value(), 0U);
  EXPECT_TRUE(std::filesystem::is_empty(path_));
  EXPECT_EQ(Used(), 0U);
}

TEST_F(SpoolBudgetTest, ADescriptionThatTakesABlockCounts) {
  auto open = MakeLarge(1);
  MakeLarge(2);
  Description description;
  description.path = std::string(200, 'x') + "/" + std::string(200, 'y');
  for (VersionId const id : {1U, 2U}) ASSERT_TRUE(Ok(spool_->Describe(id, description)));
  EXPECT_GE(Used(), 2 * kMegabyte);
  for (VersionId const id : {1U, 2U}) EXPECT_TRUE(Ok(spool_->Remove(id)));
  open.reset();
  EXPECT_EQ(Used(), 0U);
}

TEST_F(SpoolBudgetTest, CountsTheFilesOfEarlierProcesses) {
  for (VersionId const id : {1U, 2U, 3U, 4U}) MakeLarge(id);
  spool_ = Spool::Open(path_).value();
  MakeLarge(5);
  // Before they are counted: one goes, one is open and grows, one is open and goes.
  EXPECT_TRUE(Ok(spool_->Remove(1)));
  auto const grown = spool_->Find(2, kMegabyte).value();
  grown->KnowSent({}, false);
  std::string const more(kMegabyte, 'y');
  EXPECT_TRUE(Ok(grown->Write(kMegabyte, std::as_bytes(std::span(more)))));
  auto gone = spool_->Find(3, kMegabyte).value();
  EXPECT_TRUE(Ok(spool_->Remove(3)));
  gone.reset();
  EXPECT_EQ(Used(), kMegabyte);
  EXPECT_TRUE(Ok(spool_->Count()));
  EXPECT_EQ(Used(), 4 * kMegabyte);
  EXPECT_TRUE(Ok(spool_->Remove(4)));
  EXPECT_EQ(Used(), 3 * kMegabyte);
}

}  // namespace
}  // namespace tusfs
