// A file that is written again and again, whole or in part, with bytes that it had before or new
// ones, while it is sent and while daemons die: what is published is always what it was at some
// close, and the digests that say what was sent are right.
#include <fcntl.h>
#include <unistd.h>

#include <set>
#include <utility>

#include "mount/mount_test.h"
#include "storm/parts.h"
#include "storm/storm.h"

namespace tusfs_testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::uint64_t kBlock = 4 * kMiB;  // of a digest
constexpr std::size_t kMostParts = 24;      // of a file

class RewritesStorm : public MountTest {
 protected:
  static void Pause(Storm& storm) {
    std::this_thread::sleep_for(std::chrono::milliseconds(storm.Between(0, 300)));
  }

  // In pieces of random size, in order.
  static void Write(Storm& storm, int fd, std::uint64_t offset, std::string_view bytes) {
    while (!bytes.empty()) {
      auto const piece = bytes.substr(0, static_cast<std::size_t>(storm.Between(1, kMiB)));
      ASSERT_EQ(::pwrite(fd, piece.data(), piece.size(), static_cast<off_t>(offset)),
                static_cast<ssize_t>(piece.size()));
      offset += piece.size();
      bytes.remove_prefix(piece.size());
    }
  }

  static std::uint64_t Somewhere(Storm& storm, std::uint64_t size) {
    auto const at = static_cast<std::uint64_t>(storm.Between(0, static_cast<std::int64_t>(size)));
    return storm.Between(0, 1) == 0 ? at : at / kBlock * kBlock;  // where blocks meet, too
  }

  // A new body, or one that it had before.
  void WriteWhole(Storm& storm, int fd) {
    auto const which = storm.Between(0, 2 * static_cast<std::int64_t>(bodies_.size()));
    if (std::cmp_less(which, bodies_.size())) {
      content_ = bodies_[static_cast<std::size_t>(which)];
    } else {
      content_ =
          RandomBytes(static_cast<std::size_t>(storm.Between(1, 6 * kBlock)), storm.random()());
      bodies_.push_back(content_);
    }
    Write(storm, fd, 0, content_);
  }

  void WriteAPart(Storm& storm, int fd) {
    auto const at = Somewhere(storm, content_.size());
    auto const size = static_cast<std::size_t>(storm.Between(1, 2 * kBlock));
    auto const bytes = RandomBytes(size, storm.random()());
    if (content_.size() < at + size) content_.resize(at + size);
    content_.replace(at, size, bytes);
    Write(storm, fd, at, bytes);
  }

  // One open and one close, and whatever a program may do between.
  void Change(Storm& storm) {
    bool const whole = content_.empty() || storm.Between(0, 1) == 0;
    int const fd = ::open((*mount_ / "file").c_str(),
                          O_WRONLY | O_CREAT | O_CLOEXEC | (whole ? O_TRUNC : 0), 0644);
    ASSERT_GE(fd, 0);
    if (whole) WriteWhole(storm, fd);
    for (auto parts = storm.Between(whole ? 0 : 1, 3); parts > 0; --parts) {
      WriteAPart(storm, fd);
      Pause(storm);  // some of it is sent meanwhile
    }
    ASSERT_EQ(::close(fd), 0);
    closed_.insert(Sha256(content_));
  }

  void AwaitArrival(bool in_parts) {
    if (in_parts) {
      AwaitArrivalOfParts(*mount_, *server_);
    } else {
      EXPECT_EQ(mount_->WaitUploaded(), 0);
    }
  }

  std::unique_ptr<MountedTusfs> mount_;
  std::string content_;              ///< of the file
  std::vector<std::string> bodies_;  ///< that it had
  std::set<std::string> closed_;     ///< SHA-256 of what it was at each close
};

TEST_F(RewritesStorm, WhatIsPublishedIsWhatItWasAtAClose) {
  Storm storm("rewrites", "changes", 40);
  StartServer(ServerKind::kFixture, 60'000'000);
  bool const in_parts = storm.InParts();
  Command options{"--chunk-size", "1MiB", "--verify", "download"};
  if (in_parts) options = WithParts(std::move(options));
  mount_ = std::make_unique<MountedTusfs>(server_->Url(), options);
  ASSERT_EQ(mount_->Mount(), "");
  for (int i = 0; i < storm.count(); ++i) {
    Change(storm);
    ASSERT_FALSE(HasFatalFailure());
    if (storm.Between(0, 3) == 0) {
      EXPECT_GT(mount_->KillDaemon(), 0);
    }
    if (storm.Between(0, 1) == 0) {
      AwaitArrival(in_parts);
    } else {
      Pause(storm);
    }
    EXPECT_EQ(Sha256OfFile(*mount_ / "file"), Sha256(content_));
    storm.Done();
  }
  AwaitArrival(in_parts);
  int published = 0;
  bool is_last = false;
  for (auto const& upload : server_->Uploads()) {
    if (!upload.complete || upload.partial) continue;
    ++published;
    auto const digest = Sha256OfFile(server_->File(upload));
    EXPECT_TRUE(closed_.contains(digest)) << "published is what it never was at a close";
    is_last = is_last || digest == Sha256(content_);
  }
  EXPECT_TRUE(is_last);
  if (in_parts) ExpectNoLooseParts(*server_, UnknownCompletions(*mount_) * kMostParts);
  EXPECT_THAT(mount_->Log(), Not(HasSubstr("does not have what was sent")));
  storm.SetDetails("published " + std::to_string(published));
}

}  // namespace
}  // namespace tusfs_testing
