// What the tests of tus-upload share: a server, a directory with files, runs of the program.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <initializer_list>
#include <string>

#include "testing/files.h"
#include "testing/fixture_server.h"
#include "testing/process.h"
#include "testing/wait_for.h"

namespace tus_upload_testing {

using namespace std::chrono_literals;
using tusfs_testing::ChildProcess;
using tusfs_testing::Command;
using tusfs_testing::Fault;
using tusfs_testing::Finished;
using tusfs_testing::FixtureServer;
using tusfs_testing::RandomBytes;
using tusfs_testing::ReadFile;
using tusfs_testing::RunProgram;
using tusfs_testing::TempDir;
using tusfs_testing::WaitFor;
using tusfs_testing::WriteFile;

constexpr std::uint64_t kChunk = 256 * 1024;
constexpr std::uint64_t kMiB = 1024 * 1024;

class TusUpload : public testing::Test {
 protected:
  TempDir temp_;
  FixtureServer server_;

  /// tus-upload with `arguments`, in chunks of 256 KiB, with a state directory of this test.
  [[nodiscard]] Command Program(Command const& arguments) const {
    Command command{TUS_UPLOAD, "--state-dir", (temp_ / "state").string(), "--chunk-size",
                    "256KiB"};
    command.insert(command.end(), arguments.begin(), arguments.end());
    return command;
  }
  /// … with what is in `file` on its standard input, through a pipe.
  [[nodiscard]] Command Fed(std::string const& file, Command const& arguments) const {
    Command command{"sh", "-c", "cat \"$0\" | \"$@\"", file};
    auto const program = Program(arguments);
    command.insert(command.end(), program.begin(), program.end());
    return command;
  }
  [[nodiscard]] Finished Run(Command const& arguments) const {
    return RunProgram(Program(arguments), 60s);
  }
  [[nodiscard]] Finished RunFed(std::string const& file, Command const& arguments) const {
    return RunProgram(Fed(file, arguments), 60s);
  }

  /// A file of random bytes; its path.
  [[nodiscard]] std::string File(std::string const& name, std::uint64_t size,
                                 std::uint64_t seed = 1) const {
    auto const path = temp_ / name;
    WriteFile(path, RandomBytes(size, seed));
    return path.string();
  }

  /// Starts `command`, and returns when the server has got `bytes` more.
  void StartUntil(ChildProcess& child, Command const& command, std::uint64_t bytes) {
    auto const before = server_.Stats().received_bytes;
    child.Start(command, temp_ / "out", temp_ / "err");
    ASSERT_TRUE(WaitFor([&] { return server_.Stats().received_bytes >= before + bytes; }))
        << ReadFile(temp_ / "err");
  }
  /// … and kills it there.
  void KillAfter(std::uint64_t bytes, Command const& command) {
    ChildProcess child;
    StartUntil(child, command, bytes);
    child.Signal(SIGKILL);
    ASSERT_TRUE(child.Wait(10s));
  }

  /// The bytes of the newest complete upload of that name.
  [[nodiscard]] std::string Published(std::string const& name) const {
    auto const upload = server_.FindUpload(name);
    return upload && upload->complete ? server_.Content(upload->id) : "(not complete)";
  }

  static std::ptrdiff_t Lines(std::string const& text) {
    return std::count(text.begin(), text.end(), '\n');
  }
};

}  // namespace tus_upload_testing
