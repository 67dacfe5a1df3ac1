// Rescue: whatever a spool has comes out with its name.
#include "control/rescue.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <map>

#include "base/fakes.h"
#include "base/file.h"
#include "spool/spool.h"
#include "testing/files.h"

namespace tusfs {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using tusfs_testing::RandomBytes;
using tusfs_testing::ReadFile;
using State = Description::State;

class RescueTest : public testing::Test {
 protected:
  void Spooled(VersionId id, std::string const& bytes, std::optional<Description> const& of,
               std::uint64_t at = 0) {
    auto const spool = Spool::Open(state_ / "spool").value();
    auto const version = spool->Create(id).value();
    ASSERT_TRUE(Ok(version->Write(at, std::as_bytes(std::span(bytes)))));
    if (of) {
      ASSERT_TRUE(Ok(spool->Describe(id, *of)));
    }
  }

  static Description Named(std::string path, State state = State::kFinished) {
    return {.state = state,
            .path = std::move(path),
            .mode = 0640,
            .uid = ::geteuid(),
            .gid = ::getegid(),
            .modified = 1'700'000'000'500'000'000,
            .trimmed = 0,
            .url = "http://tus/files/secret"};
  }

  Result<RescueSummary> Run() {
    return Rescue(state_, out_, [this](RescuedFile const& file) { files_[file.path] = file; });
  }

  tusfs_testing::TempDir const dir_;
  fs::path const state_ = dir_ / "state";
  fs::path const out_ = dir_ / "out";
  std::map<std::string, RescuedFile> files_;
};

TEST_F(RescueTest, FilesComeOutWithNameModeAndTime) {
  auto const bytes = RandomBytes(3'000'000);
  Spooled(7, bytes, Named("day 1/card/clip.mov"));
  Spooled(8, "half", Named("half", State::kUnfinished));
  auto const summary = Run();
  ASSERT_TRUE(Ok(summary));
  EXPECT_EQ(summary->files, 2U);
  EXPECT_EQ(summary->bytes, bytes.size() + 4);
  EXPECT_EQ(summary->incomplete, 0U);
  EXPECT_EQ(ReadFile(out_ / "day 1/card/clip.mov"), bytes);
  EXPECT_EQ(files_["day 1/card/clip.mov"].state, "finished");
  EXPECT_EQ(files_["half"].state, "unfinished");
  struct stat status {};
  ASSERT_EQ(::stat((out_ / "day 1/card/clip.mov").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0640U);
  EXPECT_EQ(status.st_mtim.tv_sec, 1'700'000'000);
  EXPECT_EQ(status.st_mtim.tv_nsec, 500'000'000);
  ASSERT_EQ(::stat(out_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0700U) << "what was private stays so";
}

TEST_F(RescueTest, TheLedgerComesAlong) {
  Spooled(7, "bytes", Named("a"));
  fs::create_directory(state_ / "ledger");
  tusfs_testing::WriteFile(state_ / "ledger" / "00000001.rows", "rows of it");
  auto const summary = Run();
  ASSERT_TRUE(Ok(summary));
  EXPECT_TRUE(summary->ledger);
  EXPECT_EQ(ReadFile(out_ / "lost+found/ledger/00000001.rows"), "rows of it");
}

TEST_F(RescueTest, WhatHasNoNameGoesToLostAndFound) {
  Spooled(7, "nameless", std::nullopt);
  ASSERT_TRUE(Ok(Run()));
  EXPECT_EQ(ReadFile(out_ / "lost+found/7"), "nameless");
  EXPECT_EQ(files_["lost+found/7"].state, "unknown");
}

TEST_F(RescueTest, OfTwoBodiesTheNewerHasTheName) {
  Spooled(3, "older", Named("clip"));
  Spooled(9, "newer", Named("clip"));
  ASSERT_TRUE(Ok(Run()));
  EXPECT_EQ(ReadFile(out_ / "clip"), "newer");
  EXPECT_EQ(ReadFile(out_ / "lost+found/3"), "older");
}

TEST_F(RescueTest, AFileWhereAnotherHasADirectoryIsNotLost) {
  Spooled(3, "inner", Named("a/b"));
  Spooled(9, "outer", Named("a"));
  ASSERT_TRUE(Ok(Run()));
  EXPECT_EQ(ReadFile(out_ / "a"), "outer");
  EXPECT_EQ(ReadFile(out_ / "lost+found/3"), "inner");
}

TEST_F(RescueTest, NoNameLeadsOutOfTheDirectory) {
  VersionId id = 3;
  for (auto const* const path : {"../escaped", "/tmp/escaped", "a/../../escaped", "a//b", "."}) {
    Spooled(++id, path, Named(path));
  }
  auto const summary = Run();
  ASSERT_TRUE(Ok(summary));
  EXPECT_EQ(summary->nameless, 5U);
  EXPECT_FALSE(fs::exists(dir_ / "escaped"));
  EXPECT_EQ(ReadFile(out_ / "lost+found/4"), "../escaped");
}

TEST_F(RescueTest, ALinkInTheSpoolIsNoFileOfIt) {
  Spooled(3, "clip", Named("clip"));
  tusfs_testing::WriteFile(dir_ / "secret", "secret");
  fs::create_symlink(dir_ / "secret", state_ / "spool/0/4");
  auto const summary = Run();
  ASSERT_TRUE(Ok(summary));
  EXPECT_EQ(summary->files, 1U);
  EXPECT_FALSE(fs::exists(out_ / "lost+found/4"));
}

TEST_F(RescueTest, NothingIsWrittenThroughALinkThatSomebodyLays) {
  Spooled(3, "clip", Named("day/clip"));
  Spooled(9, "newer", Named("first"));
  fs::create_directory(dir_ / "elsewhere");
  auto const summary = Rescue(state_, out_, [&](RescuedFile const& file) {
    if (file.path == "first") fs::create_directory_symlink(dir_ / "elsewhere", out_ / "day");
  });
  ASSERT_TRUE(Ok(summary));
  EXPECT_FALSE(fs::exists(dir_ / "elsewhere/clip"));
  EXPECT_EQ(ReadFile(out_ / "lost+found/3"), "clip");
}

TEST_F(RescueTest, HolesStayHoles) {
  constexpr std::uint64_t kHole = 64 << 20;
  Spooled(3, "end", Named("sparse"), kHole);
  ASSERT_TRUE(Ok(Run()));
  struct stat status {};
  ASSERT_EQ(::stat((out_ / "sparse").c_str(), &status), 0);
  EXPECT_EQ(static_cast<std::uint64_t>(status.st_size), kHole + 3);
  EXPECT_LT(status.st_blocks * 512, 1 << 20);
}

TEST_F(RescueTest, AHeadThatOnlyTheServerHasIsSaid) {
  auto trimmed = Named("long", State::kUnfinished);
  trimmed.trimmed = 4096;
  Spooled(3, "tail", trimmed, 4096);
  auto const summary = Run();
  ASSERT_TRUE(Ok(summary));
  EXPECT_EQ(summary->incomplete, 1U);
  EXPECT_THAT(files_["long"].problem, HasSubstr("4096 bytes"));
  EXPECT_EQ(ReadFile(out_ / "long").substr(4096), "tail");
}

TEST_F(RescueTest, ADirectoryThatIsNotEmptyIsLeftAlone) {
  Spooled(3, "new", Named("clip"));
  fs::create_directory(out_);
  tusfs_testing::WriteFile(out_ / "clip", "old");
  auto const summary = Run();
  EXPECT_EQ(CodeOf(summary), ENOTEMPTY);
  EXPECT_THAT(summary.error().context, HasSubstr("name a new directory"));
  EXPECT_EQ(ReadFile(out_ / "clip"), "old");
}

TEST_F(RescueTest, AStateDirectoryInUseIsRefused) {
  Spooled(3, "new", Named("clip"));
  auto const lock = OpenFile(state_ / "lock", O_RDWR | O_CREAT).value();
  ASSERT_EQ(::flock(lock.get(), LOCK_EX), 0);
  EXPECT_EQ(CodeOf(Run()), EBUSY);
  EXPECT_FALSE(fs::exists(out_));
}

TEST_F(RescueTest, WhatIsNoStateDirectoryIsSaid) {
  auto const summary = Run();
  EXPECT_EQ(CodeOf(summary), ENOENT);
  EXPECT_THAT(summary.error().context, HasSubstr("has no spool"));
  EXPECT_FALSE(fs::exists(out_));
}

}  // namespace
}  // namespace tusfs
