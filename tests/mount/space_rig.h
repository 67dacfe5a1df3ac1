// A mount with a small spool, for the tests of what happens when it is full and of what is not in
// it any more.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>

#include "mount/mount_test.h"

namespace tusfs_testing {

class SpaceTest : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (!IsSkipped()) StartServer(ServerKind::kFixture);
  }

  /// Mounts with a spool of that many MiB, chunks of 4 MiB, and `more`.
  void Mount(int spool, Command const& more = {}) {
    Command options{"--spool-size", std::to_string(spool) + "MiB",
                    "--chunk-size", "4MiB",
                    "--reserve",    "0",
                    "--settle",     "0.2"};
    options.insert(options.end(), more.begin(), more.end());
    mount_ = std::make_unique<MountedTusfs>(server_->Url(), options);
    ASSERT_EQ(mount_->Mount(), "");
  }

  /// Bytes of disk that the versions take.
  [[nodiscard]] std::uint64_t SpoolBytes() const {
    std::uint64_t bytes = 0;
    std::error_code gone;
    for (auto const& entry :
         std::filesystem::recursive_directory_iterator(mount_->state_dir() / "spool", gone)) {
      struct stat status {};
      if (::lstat(entry.path().c_str(), &status) == 0 && S_ISREG(status.st_mode)) {
        bytes += static_cast<std::uint64_t>(status.st_blocks) * 512;
      }
    }
    return bytes;
  }

  [[nodiscard]] std::uint64_t Waiting() const {
    return mount_->Status()["spool"]["waiting"].get<std::uint64_t>();
  }
  [[nodiscard]] bool AwaitWaiting(std::uint64_t files) const {
    return WaitFor([&] { return Waiting() == files; });
  }

  void Start(ChildProcess& child, Command const& command) const {
    child.Start(command, dir_ / "out", dir_ / "err");
  }

  /// A copy that waits for room, because the server is away.
  void StartStuckCopy(ChildProcess& child, std::string const& name) {
    Start(child, {"cp", Source("source of " + name, 64 * kMiB), *mount_ / name});
  }

  std::unique_ptr<MountedTusfs> mount_;
};

}  // namespace tusfs_testing
