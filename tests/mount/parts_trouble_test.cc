// Files that are sent in parts, and what happens to them at the wrong moment: each is published
// once, as it was at a close, under the name that it had then; no more is sent again than has to
// be, and nothing stays on the server that nobody needs.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "mount/mount_test.h"
#include "mount/open_file.h"

namespace tusfs_testing {
namespace {

using namespace std::chrono_literals;
using ::testing::IsEmpty;

constexpr std::uint64_t kPart = 4 * kMiB;
constexpr std::uint64_t kSlow =
    8'000'000;                        // bytes a second: it is under way when something happens
constexpr std::uint64_t kCut = kMiB;  // what a request that is broken off may have sent in vain

class PartsTrouble : public MountTest {
 protected:
  void Start(FixtureOptions const& options = {}) {
    fixture_ = std::make_unique<FixtureServer>(options);
    mount_ = std::make_unique<MountedTusfs>(
        fixture_->Url(), Command{"--parts", "4MiB", "--chunk-size", "1MiB", "--settle", "0.2",
                                 "--adopt-timeout", "0"});
    ASSERT_EQ(mount_->Mount(), "");
  }

  [[nodiscard]] std::vector<UploadView> Published(std::string const& name) const {
    auto uploads = fixture_->Uploads();
    std::erase_if(uploads, [&](auto const& upload) {
      return !upload.complete || upload.partial || upload.Metadata("relativePath") != name;
    });
    return uploads;
  }
  void ExpectArrivedOnce(std::string const& name, std::string const& bytes) const {
    EXPECT_EQ(mount_->WaitUploaded(), 0) << mount_->Listed(name).dump();
    auto const published = Published(name);
    ASSERT_EQ(published.size(), 1U) << name;
    EXPECT_TRUE(fixture_->Content(published[0].id) == bytes) << name << " has other bytes";
  }
  // Those of parts that were not joined, as soon as there are so many.
  [[nodiscard]] bool AwaitBytesInParts(std::uint64_t bytes) const {
    return WaitFor([&] {
      std::uint64_t sum = 0;
      for (auto const& part : fixture_->LooseParts()) sum += part.offset;
      return sum >= bytes;
    });
  }
  [[nodiscard]] bool AwaitNoLooseParts() const {
    return WaitFor([&] { return fixture_->LooseParts().empty(); });
  }
  [[nodiscard]] bool AwaitState(std::string const& name, std::string const& state) const {
    return WaitFor([&] { return mount_->State(name) == state; });
  }
  // What was due before it has happened when it is there.
  void SendMarker(std::string const& name) const {
    WriteFile(*mount_ / name, "marker");
    EXPECT_TRUE(WaitFor([&] { return Published(name).size() == 1; })) << name;
  }
  [[nodiscard]] std::uint64_t Received() const { return fixture_->Stats().received_bytes; }

  std::unique_ptr<FixtureServer> fixture_;
  std::unique_ptr<MountedTusfs> mount_;
};

TEST_F(PartsTrouble, FilesThatEndBesideTheEdgeOfAPartArriveAndNoneOfThemHasMorePartsThanItNeeds) {
  Start();
  for (auto const size : {kPart - 1, kPart, kPart + 1, 2 * kPart - 1, 2 * kPart, 2 * kPart + 1}) {
    auto const name = std::to_string(size);
    auto const bytes = RandomBytes(size);
    WriteFile(*mount_ / name, bytes);
    ExpectArrivedOnce(name, bytes);
    auto const parts = Published(name).at(0).parts.size();
    EXPECT_LE(parts, (size + kPart - 1) / kPart) << name;
    EXPECT_EQ(parts > 0, size > kPart) << name << ": a small file is one upload";
  }
  EXPECT_THAT(fixture_->LooseParts(), IsEmpty());
}

TEST_F(PartsTrouble, AServerThatDiesWhileItJoinsLeavesItToAPerson) {
  Start({.join_time = 1500ms});
  auto const bytes = RandomBytes(10 * kMiB);
  WriteFile(*mount_ / "a", bytes);
  ASSERT_TRUE(WaitFor([&] { return fixture_->Joining() == 1; }));
  fixture_->Stop();
  fixture_->Start();
  ASSERT_TRUE(AwaitState("a", "unconfirmed")) << mount_->Listed("a").dump();
  EXPECT_THAT(Published("a"), IsEmpty());
  EXPECT_EQ(TusfsCtl({"retry", *mount_ / "a"}).code, 0);
  ASSERT_TRUE(WaitFor([&] { return !Published("a").empty(); }));
  ExpectArrivedOnce("a", bytes);
}

TEST_F(PartsTrouble, ADaemonThatDiesWhileTheServerJoinsDoesNotJoinAgain) {
  Start({.join_time = 1500ms});
  auto const bytes = RandomBytes(10 * kMiB);
  WriteFile(*mount_ / "a", bytes);
  ASSERT_TRUE(WaitFor([&] { return fixture_->Joining() == 1; }));
  EXPECT_GT(mount_->KillDaemon(), 0);
  ASSERT_TRUE(AwaitState("a", "unconfirmed")) << mount_->Listed("a").dump();
  ASSERT_TRUE(WaitFor([&] { return !Published("a").empty(); })) << "the server goes on by itself";
  EXPECT_EQ(TusfsCtl({"accept", *mount_ / "a"}).code, 0);
  ExpectArrivedOnce("a", bytes);
  EXPECT_EQ(fixture_->Joining(), 0);
  EXPECT_TRUE(ReadFile(*mount_ / "a") == bytes);
}

TEST_F(PartsTrouble, WhatWasRemovedIsNotPublishedAndItsPartsGo) {
  Start({.bytes_per_second = kSlow});
  OpenFile file(*mount_ / "a");
  file.Write(RandomBytes(14 * kMiB));
  ASSERT_TRUE(AwaitBytesInParts(kPart));
  std::filesystem::remove(*mount_ / "a");
  EXPECT_EQ(file.Close(), 0);
  EXPECT_TRUE(AwaitNoLooseParts());
  SendMarker("b");
  EXPECT_THAT(Published("a"), IsEmpty());
}

TEST_F(PartsTrouble, WhatGotANameThatIsNeverSentIsNotPublished) {
  Start({.bytes_per_second = kSlow});
  OpenFile file(*mount_ / "a");
  file.Write(RandomBytes(14 * kMiB));
  ASSERT_TRUE(AwaitBytesInParts(kPart));
  std::filesystem::rename(*mount_ / "a", *mount_ / ".DS_Store");
  EXPECT_EQ(file.Close(), 0);
  ASSERT_TRUE(AwaitState(".DS_Store", "local-only")) << mount_->Listed(".DS_Store").dump();
  SendMarker("b");
  EXPECT_THAT(Published("a"), IsEmpty());
  EXPECT_THAT(Published(".DS_Store"), IsEmpty());
  // It may get another name yet.
  std::filesystem::remove(*mount_ / ".DS_Store");
  EXPECT_TRUE(AwaitNoLooseParts());
}

TEST_F(PartsTrouble, AnotherNameBeforeItsEndCostsNoByte) {
  Start({.bytes_per_second = kSlow});
  auto const bytes = RandomBytes(14 * kMiB);
  {
    OpenFile file(*mount_ / "a");
    file.Write(bytes);
    ASSERT_TRUE(AwaitBytesInParts(2 * kPart));
    std::filesystem::rename(*mount_ / "a", *mount_ / "b");
    EXPECT_EQ(file.Close(), 0);
  }
  ExpectArrivedOnce("b", bytes);
  EXPECT_THAT(Published("a"), IsEmpty());
  EXPECT_LE(Received(), bytes.size() + kCut);
  EXPECT_TRUE(AwaitNoLooseParts());
}

TEST_F(PartsTrouble, WhatGrowsWhileItIsJoinedIsPublishedAsItWasAndAsItBecame) {
  Start();
  fixture_->AddFault({.method = "POST", .matches = IsJoin, .action = Fault::StallUntilReleased()});
  auto const before = RandomBytes(10 * kMiB);
  WriteFile(*mount_ / "a", before);
  ASSERT_TRUE(WaitFor([&] { return fixture_->Stalled() == 1; }));
  {
    int const fd = ::open((*mount_ / "a").c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
    ASSERT_GE(fd, 0);
    EXPECT_EQ(::write(fd, "more", 4), 4);
    EXPECT_EQ(::close(fd), 0);
  }
  fixture_->ReleaseStalled();
  ASSERT_TRUE(WaitFor([&] { return Published("a").size() >= 2; })) << mount_->Listed("a").dump();
  EXPECT_EQ(mount_->WaitUploaded(), 0);
  auto const published = Published("a");
  ASSERT_EQ(published.size(), 2U);
  EXPECT_TRUE(fixture_->Content(published[0].id) == before);
  EXPECT_TRUE(fixture_->Content(published[1].id) == before + "more");
}

TEST_F(PartsTrouble, ATruncationKeepsThePartsBeforeIt) {
  Start({.bytes_per_second = 2 * kSlow});
  auto bytes = RandomBytes(18 * kMiB);
  {
    OpenFile file(*mount_ / "a");
    file.Write(bytes);
    ASSERT_TRUE(AwaitBytesInParts(3 * kPart));
    std::filesystem::resize_file(*mount_ / "a", 9 * kMiB);
    bytes.resize(9 * kMiB);
    EXPECT_EQ(file.Close(), 0);
  }
  ExpectArrivedOnce("a", bytes);
  EXPECT_LE(Received(), 18 * kMiB + kPart + kCut)
      << "the part that was cut is sent again, no other";
  EXPECT_TRUE(AwaitNoLooseParts());
}

TEST_F(PartsTrouble, PartsThatHaveExpiredAreSentAgain) {
  Start({.expire_after = 3s});
  auto const bytes = RandomBytes(10 * kMiB);
  {
    OpenFile file(*mount_ / "a");
    file.Write(bytes);
    ASSERT_TRUE(AwaitBytesInParts(2 * kPart));
    auto const first = fixture_->LooseParts().at(0);
    ASSERT_TRUE(WaitFor([&] { return std::chrono::system_clock::now() > first.expires; }));
    EXPECT_EQ(file.Close(), 0);
  }
  ASSERT_TRUE(WaitFor([&] { return !Published("a").empty(); }, 60s)) << mount_->Listed("a").dump();
  ExpectArrivedOnce("a", bytes);
}

TEST_F(PartsTrouble, ACopyThatWasKilledWithItsMountGoesOnWithTheBytesThatTheServerHas) {
  Start({.bytes_per_second = kSlow});
  mount_->SetOptions({"--parts", "4MiB", "--chunk-size", "1MiB", "--settle", "0.2"});
  auto const source = Source("source", 22 * kMiB);
  {
    OpenFile file(*mount_ / "a");
    file.Write(ReadFile(source).substr(0, 14 * kMiB));
    ASSERT_TRUE(AwaitBytesInParts(2 * kPart));
    mount_->Kill9();
  }
  ASSERT_EQ(mount_->Mount(), "");
  EXPECT_EQ(mount_->State("a"), "interrupted");
  EXPECT_THAT(Published("a"), IsEmpty());
  Copy(source, *mount_ / "a");
  ExpectArrivedOnce("a", ReadFile(source));
  // Of each part that was under way a request was cut.
  EXPECT_LE(Received(), 22 * kMiB + 4 * kCut);
}

}  // namespace
}  // namespace tusfs_testing
