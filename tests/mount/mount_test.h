// What the tests of real mounts share: a server, sources, and the sentence "it has arrived".
#pragma once

#include <gmock/gmock.h>
#include <stdlib.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "testing/files.h"
#include "testing/mounted_tusfs.h"
#include "testing/process.h"
#include "testing/test_server.h"
#include "testing/wait_for.h"

namespace tusfs_testing {

inline constexpr std::uint64_t kMiB = 1024 * 1024;

class MountTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (auto const why = WhyNoMounts(); !why.empty()) GTEST_SKIP() << "SKIPPED: " << why;
    // So that tusfsctl sees the mounts of this test only.
    ::setenv("TUSFS_RUNTIME_DIR", (dir_ / "run").c_str(), 1);
  }

  void StartServer(ServerKind kind, std::uint64_t bytes_per_second = 0) {
    server_ = TestServer::Start(kind, dir_ / "server", bytes_per_second);
  }

  /// A source file of that size outside the mount.
  std::filesystem::path Source(std::string const& name, std::uint64_t size) {
    auto const path = dir_ / name;
    WriteRandomFile(path, size, ++seed_);
    // Nobody writes to it any more: of a file that may grow nobody knows where its end is.
    using Clock = std::filesystem::file_time_type::clock;
    std::filesystem::last_write_time(path, Clock::now() - std::chrono::hours(1));
    return path;
  }

  /// Complete, once, and equal to `source`.
  void ExpectArrived(std::string const& name, std::filesystem::path const& source) const {
    auto const upload = server_->Find(name);
    ASSERT_TRUE(upload) << name << " is not on the server";
    EXPECT_TRUE(upload->complete) << name;
    EXPECT_EQ(server_->Published(name), 1) << name;
    EXPECT_EQ(Sha256OfFile(server_->File(*upload)), Sha256OfFile(source)) << name;
  }

  /// Sends a small file through the mount: what was due to happen before it has happened then.
  void SendMarker(MountedTusfs const& mount, std::string const& name) const {
    WriteFile(mount / name, "marker " + name);
    EXPECT_TRUE(WaitFor([&] { return server_->Published(name) == 1; })) << name;
  }

  static void Copy(std::filesystem::path const& from, std::filesystem::path const& to) {
    auto const copied = RunProgram({"cp", from, to});
    EXPECT_EQ(copied.code, 0) << copied.err;
  }

  TempDir const dir_;
  std::unique_ptr<TestServer> server_;

 private:
  std::uint64_t seed_ = 0;
};

/// The same against each server; one that this machine has not is skipped.
class EveryServerTest : public MountTest, public ::testing::WithParamInterface<ServerKind> {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (auto const why = TestServer::WhyNot(GetParam()); !why.empty()) {
      GTEST_SKIP() << "SKIPPED: " << why;
    }
  }
  void StartServer(std::uint64_t bytes_per_second = 0) {
    MountTest::StartServer(GetParam(), bytes_per_second);
  }
};

#define TUSFS_FOR_EVERY_SERVER(suite)                                                \
  INSTANTIATE_TEST_SUITE_P(                                                          \
      Servers, suite,                                                                \
      ::testing::Values(ServerKind::kFixture, ServerKind::kNode, ServerKind::kTusd), \
      [](auto const& parameter) { return Name(parameter.param); })

}  // namespace tusfs_testing
