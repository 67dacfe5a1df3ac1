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
#include <map>
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
using tusfs_testing::Sha256;
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

  /// How many things are remembered for a later run.
  [[nodiscard]] int Records() const {
    int records = 0;
    for (auto const& entry : std::filesystem::directory_iterator(temp_ / "state")) {
      records += entry.path().filename() == "lock" ? 0 : 1;
    }
    return records;
  }
  /// `count` files of `size` random bytes, called file-00 and so on, in the folder `name`; its
  /// path.
  [[nodiscard]] std::string Folder(std::string const& name, int count, std::uint64_t size) const {
    std::filesystem::create_directory(temp_ / name);
    for (int i = 0; i < count; ++i) {
      auto const number = std::to_string(i);
      auto const file = name + "/file-" + std::string(2 - number.size(), '0') + number;
      static_cast<void>(File(file, size, static_cast<std::uint64_t>(i) + 1));
    }
    return (temp_ / name).string();
  }
  /// Whether the server has each file of the folder, whole and once.
  void ExpectAllOf(std::string const& folder) const {
    std::map<std::string, int> complete;
    for (auto const& upload : server_.Uploads()) {
      if (upload.complete) ++complete[upload.Metadata("filename")];
    }
    for (auto const& entry : std::filesystem::directory_iterator(folder)) {
      auto const name = entry.path().filename().string();
      EXPECT_EQ(complete[name], 1) << name;
      EXPECT_EQ(Sha256(Published(name)), Sha256(ReadFile(entry.path()))) << name;
    }
  }

  /// The user root can read everything, but for a program without its privileges.
  static Command Unprivileged(Command command) {
    if (::geteuid() == 0) {
      command.insert(command.begin(), {"setpriv", "--bounding-set", "-all", "--inh-caps", "-all"});
    }
    return command;
  }
  /// Runs `command` where `directory` is the current one.
  [[nodiscard]] static Finished RunIn(std::filesystem::path const& directory, Command command) {
    command.insert(command.begin(), {"sh", "-c", "cd \"$0\" && exec \"$@\"", directory.string()});
    return RunProgram(command, 60s);
  }
  /// A rule for the creations of uploads of that `filename`, which has to be ASCII.
  static tusfs_testing::FaultRule OnCreationOf(std::string const& name, Fault const& action) {
    auto const is_it = [name](tusfs_testing::RequestFacts const& request) {
      auto const header = request.exchange->Header("Upload-Metadata");
      auto const metadata = tusfs_testing::ParseMetadata(header.value_or(""));
      return metadata && metadata->contains("filename") && metadata->at("filename") == name;
    };
    return {.method = "POST", .nth = 0, .matches = is_it, .action = action};
  }

  /// The bytes of the newest complete upload of that name.
  [[nodiscard]] std::string Published(std::string const& name) const {
    auto const upload = server_.FindUpload(name);
    return upload && upload->complete ? server_.Content(upload->id) : "(not complete)";
  }

  static std::size_t Occurrences(std::string const& text, std::string const& part) {
    std::size_t count = 0;
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
    return count;
  }
  static std::ptrdiff_t Lines(std::string const& text) {
    return std::count(text.begin(), text.end(), '\n');
  }
};

}  // namespace tus_upload_testing
