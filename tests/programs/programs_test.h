// What the tests of real programs share: a mount at the fixture server, sources outside of it, and
// the sentences "it has arrived" and "it is interrupted", each of which adds a row to the table.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "mount/mount_test.h"

namespace tusfs_testing {

/// A file of the mount and what it has to be on the server.
struct Arrival {
  std::string name;              // relative to the mount
  std::filesystem::path source;  // outside of the mount
};

class ProgramsTest : public MountTest {
 protected:
  static constexpr std::uint64_t kChunk = kMiB;

  void SetUp() override;

  /// Mounts with chunks of 1 MiB and these options. Throws std::runtime_error where it cannot.
  void Mount(Command options = {});
  [[nodiscard]] FixtureServer& server() { return *server_->fixture(); }
  [[nodiscard]] std::filesystem::path In(std::string_view name) const { return *mount_ / name; }

  /// What to skip a test with where one of these is not in PATH; empty where all are.
  [[nodiscard]] static std::string WithoutProgram(std::vector<std::string> const& names);

  /// Runs a program to its end and expects that it succeeds.
  static Finished Run(Command const& command);
  /// A command of sh(1), "$1"… being `arguments`.
  static Finished Shell(std::string const& script, Command arguments = {});

  /// `command` with a source whose read(2) goes wrong from byte `at` on (bad_source.cc).
  enum class Bad { kFails, kStalls };
  static Command WithBadSource(std::filesystem::path const& source, std::uint64_t at, Bad how,
                               Command command);

  /// Starts a program that stops by itself in the middle, and waits until `name` has `bytes`.
  void StartUntil(Command const& command, std::string const& name, std::uint64_t bytes);
  /// The size that a look at the mount shows; 0 where there is no such file.
  [[nodiscard]] std::uint64_t SizeIn(std::string const& name) const;

  /// Forgets what was sent and published so far: the next row counts from here.
  void CountFromHere();
  [[nodiscard]] std::uint64_t SentSince() const { return server_->SentBytes() - sent_before_; }
  [[nodiscard]] int PublishedSince() const;

  /// Everything is uploaded: each file once, under its name, equal to its source; no other file is
  /// published; and at most `times` the files' bytes were sent.
  void ExpectArrivals(std::string const& program, std::vector<Arrival> const& files,
                      double times = 1.0);
  void ExpectArrival(std::string const& program, std::string const& name,
                     std::filesystem::path const& source, double times = 1.0) {
    ExpectArrivals(program, {{name, source}}, times);
  }
  /// `name` becomes interrupted, its reason holds `why`, and nothing of it is published.
  void ExpectHeld(std::string const& program, std::string const& name, std::string const& why);
  /// And that stays so while a file that comes later is published.
  void ExpectInterrupted(std::string const& program, std::string const& name,
                         std::string const& why);
  /// Nothing was sent, created or published.
  void ExpectNothingSent(std::string const& program);

  /// The names under which uploads were ever created, in order.
  [[nodiscard]] std::vector<std::string> DeclaredNames() const;

  /// A row for what a test has found out by itself.
  void AddRow(std::string const& program, std::string const& outcome, std::uint64_t size) const;

  /// The test's directories become passable for every user, the mount writable.
  void OpenToEverybody();
  /// `command` as the user nobody.
  [[nodiscard]] static Command AsNobody(Command const& command);

  std::unique_ptr<MountedTusfs> mount_;
  ChildProcess program_;

 private:
  std::uint64_t sent_before_ = 0;
  int posts_before_ = 0;
  int published_before_ = 0;
  int markers_ = 0;
};

}  // namespace tusfs_testing
