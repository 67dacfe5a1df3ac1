// rsync in its many ways of putting a file in place, as root and as an ordinary user.
#include <signal.h>

#include "programs/programs_test.h"

namespace tusfs_testing {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSize = 4 * kMiB + 777;
constexpr std::uint64_t kHalf = 2 * kMiB;

class RsyncTest : public ProgramsTest {
 protected:
  void SetUp() override {
    if (auto const why = WithoutProgram({"rsync"}); !why.empty()) GTEST_SKIP() << why;
    ProgramsTest::SetUp();
  }

  Command Rsync(Command options, fs::path const& from, fs::path const& to) {
    options.insert(options.begin(), "rsync");
    options.push_back(from);
    options.push_back(to);
    return options;
  }
  /// Into the mount's root, under the source's name.
  Command Rsync(Command const& options, fs::path const& from) {
    return Rsync(options, from, mount_->mountpoint().string() + "/");
  }

  /// SIGINT to rsync when it hangs half-way through reading its source.
  void InterruptHalfWay(Command const& options, fs::path const& source) {
    program_.Start(WithBadSource(source, kHalf, Bad::kStalls, Rsync(options, source)),
                   dir_ / "rsync.out", dir_ / "rsync.err");
    ASSERT_TRUE(WaitFor([&] { return LargestFile() >= kHalf / 2; }));
    program_.Signal(SIGINT);
    auto const ending = program_.Wait(std::chrono::seconds(20));
    ASSERT_TRUE(ending);
    EXPECT_EQ(ending->code, 20) << ReadFile(dir_ / "rsync.err");
  }

  /// Of all files of the mount, whatever rsync calls its temporary one.
  std::uint64_t LargestFile() const {
    std::uint64_t largest = 0;
    for (auto const& entry : fs::recursive_directory_iterator(mount_->mountpoint())) {
      std::error_code gone;
      if (auto const size = entry.is_regular_file(gone) ? entry.file_size(gone) : 0; !gone) {
        largest = std::max<std::uint64_t>(largest, size);
      }
    }
    return largest;
  }
};

TEST_F(RsyncTest, ATransferArrivesOnceAndASecondOneSendsNothing) {
  Mount();
  fs::create_directories(dir_ / "cards/A001");
  auto const first = Source("cards/A001/one.mov", kSize);
  auto const second = Source("cards/two.mov", kMiB / 2);
  auto const cards = (dir_ / "cards").string() + "/";
  Run(Rsync({"-a"}, cards));
  ExpectArrivals("rsync -a", {{"A001/one.mov", first}, {"two.mov", second}});
  CountFromHere();
  Run(Rsync({"-a"}, cards));
  ExpectNothingSent("rsync -a, second run");
}

TEST_F(RsyncTest, EveryWayOfPuttingAFileInPlaceArrivesOnce) {
  Mount();
  std::vector<Command> const ways{{"-a", "--inplace"},
                                  {"-a", "--append"},
                                  {"-a", "--append-verify"},
                                  {"-a", "--partial"},
                                  {"-a", "--partial-dir=.rsync-partial"},
                                  {"-a", "--delay-updates"},
                                  {"-a", "--preallocate"},
                                  {"-a", "--fsync"},
                                  {"-aX"},
                                  {"-a", "--whole-file", "--sparse"}};
  int number = 0;
  for (auto const& way : ways) {
    std::string program = "rsync";
    for (auto const& option : way) program += " " + option;
    SCOPED_TRACE(program);
    CountFromHere();
    // With an extension: of one without, a temporary name in small letters is a name like others.
    auto const name = "file" + std::to_string(++number) + ".mov";
    auto const source = Source(name, kSize);
    Run(Rsync(way, source));
    ExpectArrival(program, name, source);
    CountFromHere();
    Run(Rsync(way, source));
    ExpectNothingSent(program + ", second run");
  }
}

TEST_F(RsyncTest, WhatItCallsByChanceInSmallLettersIsSentOnceToo) {
  Mount();
  auto const source = Source("clip.mov", kSize);
  Run({"cp", source, In(".clip.mov.qwhzkd")});
  ASSERT_TRUE(WaitFor([&] { return SentSince() >= kHalf; }));
  fs::rename(In(".clip.mov.qwhzkd"), In("clip.mov"));
  ExpectArrival("rsync's temporary name in small letters", "clip.mov", source);
}

TEST_F(RsyncTest, HardLinksOfATreeAreOneUpload) {
  Mount();
  fs::create_directories(dir_ / "tree");
  auto const source = Source("tree/a.mov", kSize);
  fs::create_hard_link(source, dir_ / "tree/b.mov");
  Run(Rsync({"-aH"}, (dir_ / "tree").string() + "/"));
  EXPECT_EQ(fs::hard_link_count(In("a.mov")), 2U);
  auto const name = mount_->State("a.mov") == "local-only" ? "b.mov" : "a.mov";
  ExpectArrival("rsync -aH, a file with two names", name, source);
  EXPECT_EQ(mount_->State(std::string(name) == "a.mov" ? "b.mov" : "a.mov"), "local-only");
}

TEST_F(RsyncTest, AnOrdinaryUserTransfersToo) {
  if (::geteuid() != 0) GTEST_SKIP() << "SKIPPED: becoming another user needs root";
  Mount({"--allow-other"});
  OpenToEverybody();
  auto const source = Source("clip.mov", kSize);
  Run(AsNobody(Rsync({"-a", "--no-owner", "--no-group"}, source)));
  ExpectArrival("rsync -a as nobody", "clip.mov", source);
  CountFromHere();
  Run(AsNobody(Rsync({"-a", "--no-owner", "--no-group"}, source)));
  ExpectNothingSent("rsync -a as nobody, second run");
}

TEST_F(RsyncTest, AnInterruptedTransferPublishesNothingAndItsSecondRunSendsNothingTwice) {
  Mount();
  auto const source = Source("clip.mov", kSize);
  InterruptHalfWay({"-a"}, source);
  EXPECT_FALSE(fs::exists(In("clip.mov")));
  EXPECT_EQ(PublishedSince(), 0);
  AddRow("rsync -a, SIGINT", "removed", kHalf);
  Run(Rsync({"-a"}, source));
  ExpectArrival("rsync -a, SIGINT, with its second run", "clip.mov", source);
}

TEST_F(RsyncTest, AnInterruptedTransferLeavesNothingWhenItDoesNotComeAgain) {
  Mount({"--adopt-timeout", "1"});
  InterruptHalfWay({"-a"}, Source("clip.mov", kSize));
  EXPECT_TRUE(WaitFor([&] { return server_->Uploads().empty(); })) << "left on the server";
  EXPECT_EQ(PublishedSince(), 0);
}

TEST_F(RsyncTest, APartialFileIsInterruptedAndASecondRunFinishesIt) {
  Mount();
  auto const source = Source("clip.mov", kSize);
  InterruptHalfWay({"-a", "--partial"}, source);
  ExpectInterrupted("rsync -a --partial, SIGINT", "clip.mov", "rsync");
  CountFromHere();
  Run(Rsync({"-a", "--partial"}, source));
  ExpectArrival("rsync -a --partial, SIGINT, second run", "clip.mov", source);
}

TEST_F(RsyncTest, APartialDirectoryIsNeverPublishedAndASecondRunUsesIt) {
  Mount();
  auto const source = Source("clip.mov", kSize);
  InterruptHalfWay({"-a", "--partial-dir=.rsync-partial"}, source);
  // The receiver may outlive the process that was started.
  ASSERT_TRUE(WaitFor([&] { return fs::exists(In(".rsync-partial/clip.mov")); }));
  SendMarker(*mount_, "marker");
  EXPECT_EQ(PublishedSince(), 1) << "beside the marker";
  AddRow("rsync -a --partial-dir, SIGINT, and a marker", mount_->State(".rsync-partial/clip.mov"),
         0);
  CountFromHere();
  Run(Rsync({"-a", "--partial-dir=.rsync-partial"}, source));
  ExpectArrival("rsync -a --partial-dir, SIGINT, second run", "clip.mov", source);
}

TEST_F(RsyncTest, AFileCutShortInPlaceIsInterruptedAndASecondRunFinishesIt) {
  Mount();
  // What was there is not written again by the two that append.
  for (auto const& [way, times] : {std::pair<std::string, double>("--inplace", 1.6),
                                   {"--append", 1},
                                   {"--append-verify", 1}}) {
    SCOPED_TRACE(way);
    auto const name = "clip" + way;
    auto const source = Source(name, kSize);
    CountFromHere();
    program_.Start(WithBadSource(source, kHalf, Bad::kStalls, Rsync({"-a", way}, source)),
                   dir_ / "rsync.out", dir_ / "rsync.err");
    ASSERT_TRUE(WaitFor([&] { return SizeIn(name) >= kHalf / 2; }));
    program_.Signal(SIGKILL);
    ASSERT_TRUE(program_.Wait(std::chrono::seconds(20)));
    ASSERT_TRUE(WaitFor([&] { return mount_->State(name) == "interrupted"; }));
    EXPECT_EQ(PublishedSince(), 0);
    AddRow("rsync -a " + way + ", killed", "interrupted", SizeIn(name));
    Run(Rsync({"-a", way}, source));
    ExpectArrival("rsync -a " + way + ", killed, with its second run", name, source, times);
  }
}

}  // namespace
}  // namespace tusfs_testing
