#include "posix/posix_test.h"

#include <linux/magic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cstdio>
#include <string_view>

#include "posix/tolerated.h"

namespace tusfs_testing {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostShown = 25;  // differences of one scenario
// The uploader is at work as always, but does not take the processor for itself.
constexpr std::uint64_t kServerRate = 8 * kMiB;
constexpr long kXfsMagic = 0x58465342;
constexpr long kBtrfsMagic = 0x9123683e;

std::string KindOf(std::string const& directory) {
  struct statfs about {};
  if (::statfs(directory.c_str(), &about) != 0) return "";
  switch (static_cast<long>(about.f_type)) {
    case EXT4_SUPER_MAGIC:
      return "ext4";
    case kXfsMagic:
      return "xfs";
    case kBtrfsMagic:
      return "btrfs";
    case TMPFS_MAGIC:
      return "tmpfs";
    default:
      return "";
  }
}

}  // namespace

Reference FindReference() {
  char const* const chosen = ::getenv("TMPDIR");
  for (std::string_view const wanted : {"ext4", "xfs", "btrfs", "tmpfs"}) {
    for (std::string const directory :
         {chosen != nullptr ? chosen : "/tmp", "/var/tmp", "/tmp", "/dev/shm"}) {
      if (KindOf(directory) == wanted) return {directory, std::string(wanted)};
    }
  }
  return {};
}

void PosixTest::SetUp() {
  MountTest::SetUp();
  if (IsSkipped()) return;
  if (::geteuid() != 0) GTEST_SKIP() << "SKIPPED: becoming another user needs root";
  reference_ = FindReference();
  if (reference_.directory.empty()) {
    GTEST_SKIP() << "SKIPPED: no ext4, xfs, btrfs or tmpfs to compare with";
  }
  std::string pattern = reference_.directory + "/tusfs-test-XXXXXX";
  ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
  local_ = pattern;
  ::chmod(local_.c_str(), 0755);
  StartServer(ServerKind::kFixture, kServerRate);
  mount_ = std::make_unique<MountedTusfs>(server_->Url(), Command{"--allow-other"});
  ASSERT_EQ(mount_->Mount(), "");
  // Others have to get there.
  ::chmod(mount_->mountpoint().parent_path().c_str(), 0755);
  ::chmod(mount_->mountpoint().c_str(), 0755);
}

void PosixTest::TearDown() {
  if (!local_.empty()) fs::remove_all(local_);
  if (compared_ == 0) return;
  std::printf("compared with %s: %zu outcomes, %zu of them differ as tolerated\n",
              reference_.kind.c_str(), compared_, tolerated_);
  RecordProperty("outcomes", std::to_string(compared_));
}

std::string PosixTest::NewDirectory(fs::path const& top, Person const& person) {
  auto const path = (top / std::to_string(scenarios_)).string();
  EXPECT_EQ(::mkdir(path.c_str(), 0755), 0) << path;
  EXPECT_EQ(::chown(path.c_str(), person.uid, person.gid), 0) << path;
  return path;
}

void PosixTest::ExpectSame(Scenario const& scenario) {
  ExpectSameAs(Root(), scenario);
  ExpectSameAs(User(), scenario);
}

void PosixTest::ExpectSameAs(Person const& person, Scenario const& scenario) {
  ++scenarios_;
  auto const there = Transcribe(scenario, NewDirectory(local_, person), person);
  auto const here = Transcribe(scenario, NewDirectory(mount_->mountpoint(), person), person);
  Compare(person, there, here);
}

void PosixTest::Compare(Person const& person, std::vector<Line> const& there,
                        std::vector<Line> const& here) {
  std::string heading;
  std::size_t shown = 0;
  for (std::size_t i = 0; i < std::min(there.size(), here.size()); ++i) {
    ASSERT_EQ(there[i].what, here[i].what) << "the scenario went another way, under: " << heading;
    if (there[i].outcome.empty()) {
      heading = there[i].what;
      continue;
    }
    ++compared_;
    if (there[i].outcome == here[i].outcome) continue;
    if (!WhyTolerated(heading, here[i]).empty()) {
      ++tolerated_;
      continue;
    }
    if (++shown > kMostShown) continue;
    ADD_FAILURE() << "as " << person.name << ", " << heading << ":\n  " << here[i].what << "\n    "
                  << reference_.kind << ": " << there[i].outcome
                  << "\n    tusfs: " << here[i].outcome;
  }
  EXPECT_LE(shown, kMostShown) << "differences in all: " << shown;
  EXPECT_EQ(there.size(), here.size()) << "the scenario ended early";
}

}  // namespace tusfs_testing
