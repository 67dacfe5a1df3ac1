// Media hash lists between tusfsctl and the reference implementation of ASC MHL, in both
// directions.
#include <cstdlib>

#include "mount/mount_test.h"

namespace tusfs_testing {
namespace {

using ::testing::HasSubstr;

// $TUSFS_ASCMHL, or the one in PATH.
std::string AscMhl() {
  auto const* const given = std::getenv("TUSFS_ASCMHL");
  if (given != nullptr) return given;
  return HaveProgram("ascmhl") ? "ascmhl" : "";
}

class MhlTest : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (IsSkipped()) return;
    StartServer(ServerKind::kFixture);
    std::filesystem::create_directories(card_ / "Clips");
    Source("card/Clips/a <1> & 2.mov", 9 * kMiB + 17);
    Source("card/Clips/Caf\xc3\xa9.mov", 100'000);
    Source("card/empty.txt", 0);
  }

  void CopyCard(MountedTusfs& mount) {
    ASSERT_EQ(mount.Mount(), "");
    auto const copied = RunProgram({"cp", "-a", (card_ / ".").string(), mount.mountpoint()});
    ASSERT_EQ(copied.code, 0) << copied.err;
    ASSERT_EQ(mount.WaitUploaded(), 0);
  }

  // The manifest of a generation that lies in the card.
  std::string Generation(std::string const& number) {
    for (auto const& file : std::filesystem::directory_iterator(card_ / "ascmhl")) {
      if (file.path().filename().string().starts_with(number)) return file.path().string();
    }
    ADD_FAILURE() << "there is no generation " << number;
    return "";
  }

  std::filesystem::path const card_ = dir_ / "card";
};

TEST_F(MhlTest, IsWrittenFromWhatIsKnownAndStandsForTheCard) {
  MountedTusfs mount(server_->Url());
  CopyCard(mount);
  auto const written = TusfsCtl({"mhl", mount.mountpoint(), "--out", card_});
  ASSERT_EQ(written.code, 0) << written.err;
  EXPECT_THAT(written.out, HasSubstr(": 3 files"));
  auto const manifest = Generation("0001");
  EXPECT_EQ(TusfsCtl({"verify", "--mhl", manifest, mount.mountpoint()}).code, 0);
  auto text = ReadFile(manifest);
  auto const at = text.find("</xxh64>") - 1;
  text[at] = text[at] == '0' ? '1' : '0';
  WriteFile(dir_ / "lie.mhl", text);
  auto const lie = TusfsCtl({"verify", "--mhl", dir_ / "lie.mhl", mount.mountpoint()});
  EXPECT_EQ(lie.code, 1);
  EXPECT_THAT(lie.out, HasSubstr("its xxh64 is another one"));
}

TEST_F(MhlTest, WhatIsNotKnownIsReadInTheMountAndComparedOrRefused) {
  MountedTusfs mount(server_->Url());
  CopyCard(mount);
  auto const refused = TusfsCtl({"mhl", "--hash", "md5", mount.mountpoint(), "--out", card_});
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("its md5 is not known"));
  EXPECT_FALSE(std::filesystem::exists(card_ / "ascmhl"));
  auto const read =
      TusfsCtl({"mhl", "--hash", "md5", "--read", mount.mountpoint(), "--out", card_});
  EXPECT_EQ(read.code, 0) << read.err;
  EXPECT_THAT(ReadFile(Generation("0001")), HasSubstr("<md5 "));
}

TEST_F(MhlTest, IsNotWrittenWhileSomethingIsNotOnTheServer) {
  MountedTusfs mount(server_->Url());
  CopyCard(mount);
  ASSERT_EQ(TusfsCtl({"pause", mount.mountpoint()}).code, 0);
  WriteFile(mount / "late", "bytes");
  auto const refused = TusfsCtl({"mhl", mount.mountpoint()});
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("late: here, not yet there"));
  EXPECT_FALSE(std::filesystem::exists(mount / "ascmhl"));
}

TEST_F(MhlTest, GoesIntoTheMountAndToTheServerLikeAnyFile) {
  MountedTusfs mount(server_->Url());
  CopyCard(mount);
  ASSERT_EQ(TusfsCtl({"mhl", mount / "Clips"}).code, 0);
  ASSERT_EQ(mount.WaitUploaded(), 0);
  EXPECT_EQ(server_->Published("Clips/ascmhl/ascmhl_chain.xml"), 1);
  EXPECT_EQ(TusfsCtl({"mhl", mount / "Clips"}).code, 0) << "a second generation";
}

TEST_F(MhlTest, TheReferenceImplementationAcceptsOursAndWeAcceptIts) {
  auto const ascmhl = AscMhl();
  if (ascmhl.empty()) {
    GTEST_SKIP() << "SKIPPED: there is no ascmhl: pip install ascmhl, or set TUSFS_ASCMHL";
  }
  MountedTusfs mount(server_->Url());
  CopyCard(mount);
  for (auto const* format : {"xxh64", "xxh3", "xxh128", "md5", "sha1", "c4"}) {
    std::filesystem::remove_all(card_ / "ascmhl");
    auto const ours =
        TusfsCtl({"mhl", "--read", "--hash", format, mount.mountpoint(), "--out", card_});
    ASSERT_EQ(ours.code, 0) << ours.err;
    auto const accepted = RunProgram({ascmhl, "diff", card_.string()});
    EXPECT_EQ(accepted.code, 0) << format << accepted.out << accepted.err;
    auto const goes_on = RunProgram({ascmhl, "create", "-h", format, card_.string()});
    EXPECT_EQ(goes_on.code, 0) << format << goes_on.out << goes_on.err;
    auto const further =
        TusfsCtl({"mhl", "--read", "--hash", format, mount.mountpoint(), "--out", card_});
    EXPECT_EQ(further.code, 0) << "behind one of theirs: " << further.err;
    EXPECT_THAT(ReadFile(Generation("0003")), HasSubstr("action=\"verified\""));
  }
  for (auto const* format : {"xxh64", "xxh3", "xxh128"}) {
    std::filesystem::remove_all(card_ / "ascmhl");
    ASSERT_EQ(RunProgram({ascmhl, "create", "-h", format, card_.string()}).code, 0);
    auto const theirs = TusfsCtl({"verify", "--mhl", Generation("0001"), mount.mountpoint()});
    EXPECT_EQ(theirs.code, 0) << format << theirs.out << theirs.err;
  }
  auto bytes = ReadFile(card_ / "Clips/a <1> & 2.mov");
  bytes[0] = static_cast<char>(bytes[0] ^ 1);
  WriteFile(card_ / "Clips/a <1> & 2.mov", bytes);
  std::filesystem::remove_all(card_ / "ascmhl");
  ASSERT_EQ(TusfsCtl({"mhl", mount.mountpoint(), "--out", card_}).code, 0);
  auto const seen = RunProgram({ascmhl, "create", "-h", "xxh64", card_.string()});
  EXPECT_NE(seen.code, 0) << "it compares with our hashes: " << seen.out;
  std::filesystem::remove_all(card_ / "ascmhl");
  ASSERT_EQ(RunProgram({ascmhl, "create", "-h", "xxh64", card_.string()}).code, 0);
  EXPECT_EQ(TusfsCtl({"verify", "--mhl", Generation("0001"), mount.mountpoint()}).code, 1)
      << "a card that is another one";
}

TEST_F(MhlTest, BadInputIsNamed) {
  WriteFile(dir_ / "no.mhl", "<html>\n");
  MountedTusfs mount(server_->Url());
  CopyCard(mount);
  EXPECT_THAT(TusfsCtl({"verify", "--mhl", dir_ / "no.mhl", mount.mountpoint()}).err,
              HasSubstr("no.mhl' is no media hash list: line 1"));
  EXPECT_EQ(TusfsCtl({"verify", "--mhl", "/nowhere.mhl", mount.mountpoint()}).code, 2);
  EXPECT_EQ(TusfsCtl({"mhl", "--hash", "crc32", mount.mountpoint()}).code, 2);
  EXPECT_EQ(TusfsCtl({"mhl", "--state-dir", mount.state_dir()}).code, 0)
      << "of the mount that uses it";
  EXPECT_EQ(TusfsCtl({"verify", "--mhl", "a", "b", "c"}).code, 2);
}

}  // namespace
}  // namespace tusfs_testing
