// Runs a scenario on a local filesystem and on a tusfs mount, and expects the same of both.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "mount/mount_test.h"
#include "posix/transcript.h"

namespace tusfs_testing {

/// Where the reference is: a directory on a filesystem of a kind that many programs are tested on.
struct Reference {
  std::string directory;  // empty: there is none on this machine
  std::string kind;       // "ext4"
};
/// The first that is found, ext4 before others, in $TMPDIR, /var/tmp, /tmp and /dev/shm.
[[nodiscard]] Reference FindReference();

class PosixTest : public MountTest {
 protected:
  void SetUp() override;
  void TearDown() override;

  /// As root, and again as an ordinary user, each time in an empty directory that is theirs.
  void ExpectSame(Scenario const& scenario);
  /// For scenarios in which root acts for others (Transcript::As).
  void ExpectSameForRoot(Scenario const& scenario) { ExpectSameAs(Root(), scenario); }

  void ExpectSameAs(Person const& person, Scenario const& scenario);

  Reference reference_;
  std::filesystem::path local_;  // on the reference filesystem
  std::unique_ptr<MountedTusfs> mount_;

 private:
  [[nodiscard]] std::string NewDirectory(std::filesystem::path const& top, Person const& person);
  void Compare(Person const& person, std::vector<Line> const& there, std::vector<Line> const& here);

  int scenarios_ = 0;
  std::size_t compared_ = 0;
  std::size_t tolerated_ = 0;
};

}  // namespace tusfs_testing
