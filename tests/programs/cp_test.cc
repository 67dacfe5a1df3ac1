// cp, whole and cut short: what it finished is published once, what it did not is interrupted.
#include <signal.h>
#include <sys/stat.h>

#include "programs/programs_test.h"

namespace tusfs_testing {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSize = 6 * kMiB + 12'345;
constexpr std::uint64_t kHalf = 3 * kMiB;

class CpTest : public ProgramsTest {
 protected:
  void CopyHalf(fs::path const& source, std::string const& name) {
    StartUntil(WithBadSource(source, kHalf, Bad::kStalls, {"cp", source, In(name)}), name, kHalf);
  }
  /// A source as a card has them: one that was written just now may be growing still.
  fs::path OldSource(std::string const& name) {
    auto const source = Source(name, kSize);
    fs::last_write_time(source, fs::last_write_time(source) - std::chrono::hours(1));
    return source;
  }
  void Kill(int signal) {
    program_.Signal(signal);
    auto const ending = program_.Wait(std::chrono::seconds(10));
    ASSERT_TRUE(ending);
    EXPECT_EQ(ending->signal, signal);
  }
};

TEST_F(CpTest, ACopyArrivesOnce) {
  Mount();
  auto const source = Source("clip.mov", kSize);
  Run({"cp", source, In("clip.mov")});
  ExpectArrival("cp", "clip.mov", source);
}

TEST_F(CpTest, ACopyThatKeepsAttributesArrivesOnce) {
  Mount();
  auto const source = Source("clip.mov", kSize);
  Run({"cp", "-a", source, In("clip.mov")});
  EXPECT_EQ(fs::last_write_time(In("clip.mov")), fs::last_write_time(source));
  ExpectArrival("cp -a", "clip.mov", source);
}

// cp -p and rsync set the time when they have written all, and by then much of it was sent.
TEST_F(CpTest, TheServerIsToldTheRightTimeOrNone) {
  Mount();
  for (auto const size : {std::uint64_t{1000}, 3 * kMiB}) {
    auto const name = std::to_string(size);
    auto const source = Source(name, size);
    fs::last_write_time(source, fs::file_time_type::clock::now() - std::chrono::hours(24 * 365));
    struct stat status {};
    ASSERT_EQ(::stat(source.c_str(), &status), 0);
    Run({"cp", "-p", source, In(name)});
    ExpectArrival("cp -p of a year ago, " + name, name, source);
    auto const upload = server().FindUpload(name);
    ASSERT_TRUE(upload);
    auto const told = upload->Metadata("mtime");
    EXPECT_THAT(told, ::testing::AnyOf("", std::to_string(status.st_mtime)));
    if (size == 1000) {
      EXPECT_EQ(told, std::to_string(status.st_mtime)) << "it was finished by then";
    }
    CountFromHere();
  }
}

TEST_F(CpTest, ASparseFileArrivesWithItsHoles) {
  Mount();
  auto const source = dir_ / "sparse.img";
  WriteFile(source, "");
  fs::resize_file(source, kSize);
  Run({"dd", "if=/dev/urandom", "of=" + source.string(), "bs=64k", "count=4", "seek=30",
       "conv=notrunc", "status=none"});
  Run({"cp", "--sparse=always", source, In("sparse.img")});
  ExpectArrival("cp --sparse=always", "sparse.img", source);
}

TEST_F(CpTest, ACopyThatIsKilledIsInterrupted) {
  Mount();
  for (auto const& [signal, name] :
       {std::pair(SIGKILL, "SIGKILL"), {SIGTERM, "SIGTERM"}, {SIGINT, "SIGINT"}}) {
    SCOPED_TRACE(name);
    CountFromHere();
    CopyHalf(Source(name, kSize), name);
    Kill(signal);
    ExpectInterrupted(std::string("cp, killed by ") + name, name, name);
  }
}

TEST_F(CpTest, ACopyThatIsRepeatedAfterItsDeathIsPublishedOnce) {
  Mount();
  auto const source = Source("clip.mov", kSize);
  CopyHalf(source, "clip.mov");
  Kill(SIGKILL);
  ASSERT_TRUE(WaitFor([&] { return mount_->State("clip.mov") == "interrupted"; }));
  Run({"cp", source, In("clip.mov")});
  ExpectArrival("cp, killed by SIGKILL, then cp again", "clip.mov", source, 1.6);
}

TEST_F(CpTest, ACopyThatIsRepeatedAfterItsDeathSendsNothingTwice) {
  Mount();
  auto const source = Source("clip.mov", kSize);
  CopyHalf(source, "clip.mov");
  ASSERT_TRUE(WaitFor([&] { return SentSince() >= kHalf - kChunk; }));
  Kill(SIGTERM);
  ASSERT_TRUE(WaitFor([&] { return mount_->State("clip.mov") == "interrupted"; }));
  Run({"cp", source, In("clip.mov")});
  ExpectArrival("cp, killed by SIGTERM, then cp again", "clip.mov", source);
}

TEST_F(CpTest, TheSameFileCopiedOnceMoreSendsNothing) {
  Mount();
  auto const source = Source("clip.mov", kSize);
  Run({"cp", source, In("clip.mov")});
  ASSERT_EQ(mount_->WaitUploaded(), 0);
  CountFromHere();
  Run({"cp", source, In("clip.mov")});
  ExpectNothingSent("cp of what is uploaded");
}

TEST_F(CpTest, AFileWhoseSourceFailsIsInterruptedAndTheNextOneArrives) {
  Mount();
  auto const bad = OldSource("bad.mov");
  auto const good = OldSource("good.mov");
  fs::create_directory(In("card"));
  auto const copied =
      RunProgram(WithBadSource(bad, kHalf, Bad::kFails, {"cp", bad, good, In("card")}));
  EXPECT_EQ(copied.code, 1);
  EXPECT_TRUE(WaitFor([&] { return server_->Published("card/good.mov") == 1; }));
  EXPECT_EQ(SizeIn("card/bad.mov"), kHalf);
  ExpectInterrupted("cp, its source fails half-way", "card/bad.mov",
                    "source was not read to its end");
  ExpectArrived("card/good.mov", good);
}

TEST_F(CpTest, AFileWhoseSourceFailsIsInterruptedForMvAndInstallToo) {
  Mount();
  for (std::string const program : {"mv", "install"}) {
    auto const source = OldSource(program + ".mov");
    auto const done = RunProgram(
        WithBadSource(source, kHalf, Bad::kFails, {program, source, In(program + ".mov")}));
    EXPECT_NE(done.code, 0) << program;
    if (!fs::exists(In(program + ".mov"))) continue;  // it took its half away
    CountFromHere();
    ExpectInterrupted(program + ", its source fails half-way", program + ".mov",
                      "source was not read to its end");
  }
}

}  // namespace
}  // namespace tusfs_testing
