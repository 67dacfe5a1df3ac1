// FileSource, PipeSource and MemorySource over real files and pipes.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <span>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

#include "testing/files.h"
#include "testing/prompt.h"
#include "tusclient/checksum.h"
#include "tusclient/data_source.h"

namespace tus {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using tusfs_testing::RandomBytes;
using tusfs_testing::TempDir;
using tusfs_testing::WriteFile;

constexpr milliseconds kForEver{1'000'000};
constexpr milliseconds kNow{0};

/// Up to `size` bytes at `offset`, in as many reads as it takes.
Result<std::string> ReadAll(DataSource& source, std::uint64_t offset, std::size_t size) {
  std::string bytes(size, '\0');
  std::size_t done = 0;
  while (done < size) {
    auto const count =
        source.ReadAt(offset + done, std::as_writable_bytes(std::span(bytes)).subspan(done));
    if (!count) return tl::unexpected(count.error());
    if (*count == 0) break;
    done += *count;
  }
  bytes.resize(done);
  return bytes;
}

std::string Sha256Of(std::string const& bytes) {
  Hasher hasher(ChecksumAlgorithm::kSha256);
  hasher.Update(std::as_bytes(std::span(bytes)));
  return hasher.Digest();
}

// ---- memory

TEST(MemorySource, GivesWhatIsThereAndNothingBeyondIt) {
  std::string const bytes = "0123456789";
  MemorySource source(std::as_bytes(std::span(bytes)));
  EXPECT_EQ(*ReadAll(source, 0, 100), bytes);
  EXPECT_EQ(*ReadAll(source, 7, 2), "78");
  EXPECT_EQ(*ReadAll(source, 10, 1), "");
  EXPECT_EQ(*ReadAll(source, ~std::uint64_t{0}, 1), "");
}

// ---- files

class FileSourceTest : public testing::Test {
 protected:
  TempDir const dir_;
  std::filesystem::path const path_ = dir_ / "take.mov";
};

TEST_F(FileSourceTest, GivesTheBytesOfTheFileAtAnyPlace) {
  auto const bytes = RandomBytes(100'000);
  WriteFile(path_, bytes);
  auto const source = FileSource::Open(path_);
  ASSERT_TRUE(source);
  EXPECT_EQ((*source)->size(), bytes.size());
  EXPECT_EQ(*ReadAll(**source, 0, 200'000), bytes);
  EXPECT_EQ(*ReadAll(**source, 65'537, 10), bytes.substr(65'537, 10));
  EXPECT_EQ(*ReadAll(**source, 100'000, 1), "");
  EXPECT_EQ(*ReadAll(**source, ~std::uint64_t{0}, 1), "");
}

TEST_F(FileSourceTest, WhatIsNoRegularFileIsRefusedWithASentence) {
  ASSERT_EQ(::mkfifo((dir_ / "fifo").c_str(), 0600), 0);
  auto const message = [](std::filesystem::path const& path) {
    auto const source = FileSource::Open(path);
    EXPECT_FALSE(source);
    if (source) return std::string();
    EXPECT_EQ(source.error().code, ErrorCode::kSource);
    return source.error().message;
  };
  EXPECT_EQ(message(dir_.path()), "'" + dir_.path().string() + "' is a directory");
  EXPECT_EQ(message(dir_ / "fifo"), "'" + (dir_ / "fifo").string() + "' is not a regular file");
  EXPECT_EQ(message(dir_ / "none"),
            "'" + (dir_ / "none").string() + "' cannot be read: No such file or directory");
}

TEST_F(FileSourceTest, ALinkIsFollowedUnlessItIsRefused) {
  auto const link = dir_ / "link";
  WriteFile(path_, "bytes");
  std::filesystem::create_symlink(path_, link);
  ASSERT_TRUE(FileSource::Open(link));
  auto const refused = FileSource::Open(link, FileSource::Links::kRefuse);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kSource);
  EXPECT_EQ(refused.error().message, "'" + link.string() + "' is a symbolic link");
  EXPECT_TRUE(FileSource::Open(path_, FileSource::Links::kRefuse));
}

TEST_F(FileSourceTest, AFileThatGrowsMeanwhileIsAnError) {
  WriteFile(path_, "0123456789");
  auto const source = FileSource::Open(path_);
  ASSERT_TRUE(source);
  EXPECT_TRUE(ReadAll(**source, 0, 5));
  std::ofstream(path_, std::ios::app) << "more";
  auto const read = ReadAll(**source, 5, 5);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kSource);
  EXPECT_EQ(read.error().message, "'" + path_.string() + "' changed while it was being uploaded");
}

TEST_F(FileSourceTest, AModificationTimeThatDiffersByANanosecondIsAChange) {
  WriteFile(path_, "0123456789");
  auto const set_time = [&](long nanoseconds) {
    std::array<timespec, 2> const times{timespec{1'700'000'000, 0},
                                        timespec{1'700'000'000, nanoseconds}};
    return ::utimensat(AT_FDCWD, path_.c_str(), times.data(), 0) == 0;
  };
  ASSERT_TRUE(set_time(5));
  auto const source = FileSource::Open(path_);
  ASSERT_TRUE(source);
  EXPECT_TRUE(ReadAll(**source, 0, 10));
  ASSERT_TRUE(set_time(6));
  EXPECT_FALSE(ReadAll(**source, 0, 10));
}

TEST_F(FileSourceTest, AFileThatIsReplacedByNameIsReadAsItWasOpened) {
  WriteFile(path_, "old");
  auto const source = FileSource::Open(path_);
  ASSERT_TRUE(source);
  WriteFile(dir_ / "new", "new");
  std::filesystem::rename(dir_ / "new", path_);
  EXPECT_EQ(*ReadAll(**source, 0, 10), "old");
}

TEST_F(FileSourceTest, TheFingerprintIsEqualWhenAndOnlyWhenTheFileIs) {
  WriteFile(path_, "0123456789");
  std::filesystem::create_directory(dir_ / "sub");
  auto const fingerprint = [](std::filesystem::path const& path) {
    auto const source = FileSource::Open(path);
    EXPECT_TRUE(source);
    return source ? (*source)->Fingerprint() : "";
  };
  auto const first = fingerprint(path_);
  EXPECT_EQ(fingerprint(path_), first);
  EXPECT_EQ(fingerprint(dir_ / "sub/.././take.mov"), first);

  WriteFile(dir_ / "other", "0123456789");
  EXPECT_NE(fingerprint(dir_ / "other"), first);
  std::filesystem::create_hard_link(path_, dir_ / "link");
  EXPECT_NE(fingerprint(dir_ / "link"), first);
  std::ofstream(path_, std::ios::app) << "more";
  EXPECT_NE(fingerprint(path_), first);
}

// ---- pipes

class PipeSourceTest : public testing::Test {
 protected:
  PipeSourceTest() { EXPECT_EQ(::pipe2(ends_.data(), O_CLOEXEC), 0); }
  ~PipeSourceTest() override {
    CloseWriting();
    ::close(ends_[0]);
  }

  void Write(std::string_view bytes) const {
    while (!bytes.empty()) {
      auto const count = ::write(ends_[1], bytes.data(), bytes.size());
      ASSERT_GT(count, 0);
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
  }
  void CloseWriting() {
    if (ends_[1] >= 0) ::close(std::exchange(ends_[1], -1));
  }
  /// What is still in the pipe.
  [[nodiscard]] std::string Rest() const {
    std::array<char, 100> bytes{};
    auto const count = ::read(ends_[0], bytes.data(), bytes.size());
    return {bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
  }

  std::array<int, 2> ends_{-1, -1};
};

TEST_F(PipeSourceTest, ReadsUpToTheEndThatIsAskedForAndNeverBeyondIt) {
  PipeSource source(ends_[0]);
  Write("0123456789");
  auto const extent = source.Await(0, 4, kForEver, {});
  ASSERT_TRUE(extent);
  EXPECT_EQ(extent->end, 4U);
  EXPECT_FALSE(extent->ended);
  EXPECT_EQ(*ReadAll(source, 0, 100), "0123");
  EXPECT_EQ(*ReadAll(source, 4, 1), "");
  EXPECT_EQ(source.Sha256(), Sha256Of("0123"));
  EXPECT_EQ(Rest(), "456789");
}

TEST_F(PipeSourceTest, TheEndIsSeenOnlyByAskingForMore) {
  PipeSource source(ends_[0]);
  Write("0123");
  CloseWriting();
  EXPECT_FALSE(source.Await(0, 4, kForEver, {})->ended);
  auto const extent = source.Await(0, 5, kForEver, {});
  ASSERT_TRUE(extent);
  EXPECT_EQ(extent->end, 4U);
  EXPECT_TRUE(extent->ended);
  EXPECT_TRUE(source.Await(4, 100, kForEver, {})->ended);
  EXPECT_EQ(*ReadAll(source, 0, 100), "0123");
}

TEST_F(PipeSourceTest, AnEmptyPipeEndsAtZero) {
  PipeSource source(ends_[0]);
  CloseWriting();
  auto const extent = source.Await(0, 1, kForEver, {});
  ASSERT_TRUE(extent);
  EXPECT_EQ(extent->end, 0U);
  EXPECT_TRUE(extent->ended);
  EXPECT_EQ(source.Sha256(), Sha256Of(""));
}

TEST_F(PipeSourceTest, WithoutPatienceWhatIsThereIsEnough) {
  PipeSource source(ends_[0]);
  Write("0123");
  EXPECT_EQ(source.Await(0, 100, milliseconds(20), {})->end, 4U);
  EXPECT_EQ(source.Await(3, 100, kNow, {})->end, 4U);
}

TEST_F(PipeSourceTest, BytesBeyondFromAreWaitedForHoweverLongItTakes) {
  PipeSource source(ends_[0]);
  Write("0123");
  ASSERT_EQ(source.Await(0, 4, kForEver, {})->end, 4U);
  std::jthread const writer([this] { Write("4"); });
  EXPECT_EQ(source.Await(4, 100, kNow, {})->end, 5U);
}

TEST_F(PipeSourceTest, WhatWasReleasedCannotBeReadAgain) {
  PipeSource source(ends_[0]);
  Write("0123456789");
  ASSERT_EQ(source.Await(0, 10, kForEver, {})->end, 10U);
  source.Release(4);
  auto const read = ReadAll(source, 3, 1);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::kSource);
  EXPECT_THAT(read.error().message, HasSubstr("cannot be read again"));
  EXPECT_EQ(*ReadAll(source, 4, 100), "456789");
  source.Release(2);  // a release is not taken back
  EXPECT_FALSE(ReadAll(source, 3, 1));
}

TEST_F(PipeSourceTest, BytesReleasedBeforeTheyCameAreDroppedAndStillDigested) {
  auto const bytes = RandomBytes(3'000'000);
  PipeSource source(ends_[0]);
  source.Release(2'500'000);
  std::jthread const writer([&] {
    Write(bytes);
    CloseWriting();
  });
  EXPECT_EQ(source.Await(0, 1 << 30, kForEver, {})->end, bytes.size());
  EXPECT_EQ(*ReadAll(source, 2'500'000, 1 << 20), bytes.substr(2'500'000));
  EXPECT_FALSE(ReadAll(source, 2'499'999, 1));
  EXPECT_EQ(source.Sha256(), Sha256Of(bytes));
}

TEST_F(PipeSourceTest, AWindowThatMovesOnGivesEveryByteOnce) {
  auto const bytes = RandomBytes(5'000'000);
  PipeSource source(ends_[0]);
  std::jthread const writer([&] {
    // In pieces that fit to nothing.
    for (std::size_t at = 0; at < bytes.size(); at += 7'919) {
      Write(std::string_view(bytes).substr(at, 7'919));
    }
    CloseWriting();
  });
  std::string got;
  for (bool ended = false; !ended;) {
    auto const extent = source.Await(got.size(), got.size() + 300'000, kForEver, {});
    ASSERT_TRUE(extent);
    got += *ReadAll(source, got.size(), extent->end - got.size());
    ASSERT_EQ(got.size(), extent->end);
    source.Release(got.size());
    ended = extent->ended;
  }
  EXPECT_TRUE(got == bytes);
  EXPECT_EQ(source.Sha256(), Sha256Of(bytes));
}

TEST_F(PipeSourceTest, CancellingEndsTheWaitOnASilentPipe) {
  PipeSource source(ends_[0]);
  std::stop_source stop;
  std::chrono::steady_clock::time_point stopped;
  std::jthread const stopper([&] {
    stopped = std::chrono::steady_clock::now();
    stop.request_stop();
  });
  auto const extent = source.Await(0, 1, kForEver, stop.get_token());
  auto const returned = std::chrono::steady_clock::now();
  ASSERT_FALSE(extent);
  EXPECT_EQ(extent.error().code, ErrorCode::kCancelled);
  EXPECT_LT(returned - stopped, tusfs_testing::kPrompt);
}

TEST_F(PipeSourceTest, AfterACancelledWaitTheNextOneGoesOn) {
  PipeSource source(ends_[0]);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(source.Await(0, 1, kForEver, stop.get_token()));
  Write("0123");
  EXPECT_EQ(source.Await(0, 4, kForEver, {})->end, 4U);
  EXPECT_EQ(*ReadAll(source, 0, 4), "0123");
}

TEST_F(PipeSourceTest, ADescriptorThatDoesNotBlockIsWaitedForAllTheSame) {
  ASSERT_EQ(::fcntl(ends_[0], F_SETFL, O_NONBLOCK), 0);
  PipeSource source(ends_[0]);
  std::jthread const writer([this] {
    Write("01");
    Write("23");
    CloseWriting();
  });
  EXPECT_EQ(source.Await(0, 100, kForEver, {})->end, 4U);
}

TEST_F(PipeSourceTest, ARegularFileAndASocketAreReadToTheirEnds) {
  TempDir const dir;
  WriteFile(dir / "file", "0123");
  int const file = ::open((dir / "file").c_str(), O_RDONLY | O_CLOEXEC);
  PipeSource from_file(file);
  EXPECT_EQ(from_file.Await(0, 100, kForEver, {})->end, 4U);
  ::close(file);

  std::array<int, 2> sockets{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets.data()), 0);
  ASSERT_EQ(::write(sockets[1], "0123", 4), 4);
  ::close(sockets[1]);
  PipeSource from_socket(sockets[0]);
  EXPECT_EQ(from_socket.Await(0, 100, kForEver, {})->end, 4U);
  ::close(sockets[0]);
}

TEST_F(PipeSourceTest, AnErrorOfTheDescriptorSaysWhatItWas) {
  int master = -1;
  int terminal = -1;
  if (::openpty(&master, &terminal, nullptr, nullptr, nullptr) != 0) {
    GTEST_SKIP() << "no terminal can be made here";
  }
  ::close(terminal);  // reading from the master is EIO now
  PipeSource source(master);
  auto const extent = source.Await(0, 1, kForEver, {});
  ::close(master);
  ASSERT_FALSE(extent);
  EXPECT_EQ(extent.error().code, ErrorCode::kSource);
  EXPECT_EQ(extent.error().message, "the input cannot be read: Input/output error");
}

TEST_F(PipeSourceTest, WhatIsNoDescriptorIsAnErrorAndNoWait) {
  for (int const fd : {-1, 1'000'000}) {
    PipeSource source(fd);
    auto const extent = source.Await(0, 1, kForEver, {});
    ASSERT_FALSE(extent);
    EXPECT_EQ(extent.error().message, "the input cannot be read: Bad file descriptor");
  }
}

}  // namespace
}  // namespace tus
