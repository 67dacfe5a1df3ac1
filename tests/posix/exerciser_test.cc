// One file of a real mount, changed in every way that there is, beside an image of it in memory.
//
// $TUSFS_EXERCISER_OPERATIONS: how many (default 3,000); $TUSFS_EXERCISER_SEED: which. A failure
// prints the seed and the last operations.
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "mount/mount_test.h"
#include "testing/environment.h"

namespace tusfs_testing {
namespace {

constexpr std::uint64_t kLargest = 3 * kMiB / 2;  // of the file
constexpr std::uint64_t kLongest = 200'000;       // of one operation
constexpr std::size_t kRemembered = 30;           // operations
constexpr std::uint64_t kPage = 4096;

/// Runs `body` in a child process: true when it returned true.
bool InChild(std::function<bool()> const& body) {
  pid_t const child = ::fork();
  if (child == 0) ::_exit(body() ? 0 : 1);
  int status = -1;
  return child > 0 && ::waitpid(child, &status, 0) == child && status == 0;
}

class ExerciserTest : public MountTest {
 public:
  void SetUp() override {
    MountTest::SetUp();
    if (IsSkipped()) return;
    seed_ = FromEnvironment("TUSFS_EXERCISER_SEED", std::random_device{}());
    operations_ = FromEnvironment("TUSFS_EXERCISER_OPERATIONS", 3000);
    random_.seed(seed_);
    std::printf("TUSFS_EXERCISER_SEED=%llu\n", static_cast<unsigned long long>(seed_));
    StartServer(ServerKind::kFixture);
    mount_ = std::make_unique<MountedTusfs>(server_->Url(), Command{"--chunk-size", "256KiB"});
    ASSERT_EQ(mount_->Mount(), "");
    path_ = (*mount_ / "file").string();
    WriteFile(path_, "");
  }
  void TearDown() override {
    CloseAll();
    if (HasFailure()) {
      std::printf("the last operations:\n");
      for (auto const& operation : last_) std::printf("  %s\n", operation.c_str());
    }
  }

  std::uint64_t Random(std::uint64_t below) { return below == 0 ? 0 : random_() % below; }

  // Many operations begin or end on the borders of pages and of what is there.
  std::uint64_t RandomOffset(std::uint64_t below) {
    auto const offset = Random(below);
    switch (Random(5)) {
      case 0:
        return offset / kPage * kPage;
      case 1:
        return std::min<std::uint64_t>(image_.size(), below);
      default:
        return offset;
    }
  }

  template <typename... Parts>
  void Log(Parts const&... parts) {
    std::ostringstream text;
    (text << ... << parts);
    last_.push_back(text.str());
    if (last_.size() > kRemembered) last_.pop_front();
  }

  // ---- the handles

  struct Handle {
    int fd;
    int flags;
    [[nodiscard]] bool Reads() const { return (flags & O_ACCMODE) != O_WRONLY; }
    [[nodiscard]] bool Writes() const { return (flags & O_ACCMODE) != O_RDONLY; }
    [[nodiscard]] bool Appends() const { return (flags & O_APPEND) != 0; }
  };

  // Write-only handles bypass the page cache, and so does a reader beside a writer.
  void Open() {
    if (handles_.size() >= 6) return Close();
    static constexpr std::array kFlags = {
        O_RDWR,   O_RDWR,   O_WRONLY,          O_WRONLY,          O_WRONLY | O_APPEND,
        O_RDONLY, O_RDONLY, O_RDWR | O_APPEND, O_WRONLY | O_TRUNC};
    // Emptying is rarer than the rest.
    int const flags = kFlags[Random(Random(8) == 0 ? kFlags.size() : kFlags.size() - 1)];
    int const fd = ::open(path_.c_str(), flags | O_CREAT | O_CLOEXEC, 0644);
    ASSERT_GE(fd, 0) << std::strerror(errno);
    if ((flags & O_TRUNC) != 0) image_.clear();
    handles_.push_back({fd, flags & ~O_TRUNC});
    Log("open ", flags, " as ", fd);
  }

  void Close() {
    if (handles_.empty()) return;
    auto const at = handles_.begin() + static_cast<std::ptrdiff_t>(Random(handles_.size()));
    Log("close ", at->fd);
    ASSERT_EQ(::close(at->fd), 0) << std::strerror(errno);
    handles_.erase(at);
  }

  void CloseAll() {
    for (auto const& handle : handles_) ::close(handle.fd);
    handles_.clear();
  }

  Handle const* Pick(bool (Handle::*can)() const) {
    std::vector<Handle const*> able;
    for (auto const& handle : handles_) {
      if ((handle.*can)()) able.push_back(&handle);
    }
    return able.empty() ? nullptr : able[Random(able.size())];
  }

  // ---- operations: each does the same to the file and to the image

  void Paint(std::uint64_t offset, std::string const& bytes) {
    if (image_.size() < offset + bytes.size()) image_.resize(offset + bytes.size());
    image_.replace(offset, bytes.size(), bytes);
  }

  std::string RandomPiece(std::uint64_t offset) {
    auto const longest = Random(3) == 0 ? kLongest : std::uint64_t{2} * kPage;
    auto const size = 1 + Random(std::min(longest, kLargest - std::min(offset, kLargest - 1)));
    return RandomBytes(size, random_());
  }

  void Write() {
    auto const* const handle = Pick(&Handle::Writes);
    if (handle == nullptr || (handle->Appends() && image_.size() >= kLargest)) return;
    auto const offset = handle->Appends() ? image_.size() : RandomOffset(kLargest - 1);
    auto const bytes = RandomPiece(offset);
    bool const elsewhere = Random(20) == 0;
    Log("write ", offset, "+", bytes.size(), " through ", handle->fd,
        elsewhere ? " in another process" : "");
    auto const write = [&] {
      return ::pwrite(handle->fd, bytes.data(), bytes.size(), static_cast<off_t>(offset)) ==
             static_cast<ssize_t>(bytes.size());
    };
    ASSERT_TRUE(elsewhere ? InChild(write) : write()) << std::strerror(errno);
    Paint(offset, bytes);
  }

  void Read() {
    auto const* const handle = Pick(&Handle::Reads);
    if (handle == nullptr) return;
    auto const offset = RandomOffset(image_.size() + 100);
    auto const size = 1 + Random(kLongest);
    Log("read ", offset, "+", size, " through ", handle->fd);
    ASSERT_NO_FATAL_FAILURE(ExpectImage(handle->fd, offset, size));
  }

  void Truncate() {
    auto const size = RandomOffset(Random(3) == 0 ? kLargest : image_.size() + kPage);
    auto const* const handle = Random(2) == 0 ? Pick(&Handle::Writes) : nullptr;
    Log("truncate to ", size, " through ", handle != nullptr ? handle->fd : -1);
    auto const wanted = static_cast<off_t>(size);
    ASSERT_EQ(
        handle != nullptr ? ::ftruncate(handle->fd, wanted) : ::truncate(path_.c_str(), wanted), 0)
        << std::strerror(errno);
    image_.resize(size);
  }

  void Map() {
    if (image_.empty()) return;
    int const fd = ::open(path_.c_str(), O_RDWR | O_CLOEXEC);
    ASSERT_GE(fd, 0);
    auto const offset = RandomOffset(image_.size() - 1) / kPage * kPage;
    auto const size = 1 + Random(std::min(kLongest, image_.size() - offset));
    bool const writes = Random(2) == 0;
    bool const syncs = Random(2) == 0;
    Log(writes ? "write" : "read", " by map ", offset, "+", size, syncs ? " with msync" : "");
    auto* const map = static_cast<char*>(
        ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, static_cast<off_t>(offset)));
    ASSERT_NE(map, MAP_FAILED) << std::strerror(errno);
    ::close(fd);
    if (writes) {
      auto const from = Random(size);
      auto const bytes = RandomBytes(size - from, random_());
      std::memcpy(map + from, bytes.data(), bytes.size());
      Paint(offset + from, bytes);
    }
    bool const equal = std::memcmp(map, image_.data() + offset, size) == 0;
    if (syncs) {
      EXPECT_EQ(::msync(map, size, MS_SYNC), 0);
    }
    ::munmap(map, size);
    ASSERT_TRUE(equal) << "the map of " << offset << "+" << size << " differs";
  }

  void Allocate() {
    static constexpr std::array kModes = {
        0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE,
        FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE};
    auto const* const handle = Pick(&Handle::Writes);
    if (handle == nullptr) return;
    int const mode = kModes[Random(kModes.size())];
    auto const offset = RandomOffset(kLargest - 1);
    auto const size = 1 + Random(std::min(kLongest, kLargest - offset));
    Log("fallocate ", mode, " ", offset, "+", size, " through ", handle->fd);
    if (::fallocate(handle->fd, mode, static_cast<off_t>(offset), static_cast<off_t>(size)) != 0) {
      ASSERT_EQ(errno, EOPNOTSUPP);
      return;
    }
    if ((mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) != 0 && offset < image_.size()) {
      auto const zeros = std::min(size, image_.size() - offset);
      image_.replace(offset, zeros, zeros, '\0');
    }
    if ((mode & FALLOC_FL_KEEP_SIZE) == 0) image_.resize(std::max(image_.size(), offset + size));
  }

  void Sync() {
    if (handles_.empty()) return;
    auto const& handle = handles_[Random(handles_.size())];
    Log("fsync ", handle.fd);
    ASSERT_EQ(::fsync(handle.fd), 0);
  }

  void Rename() {
    auto const next = path_ + "'";
    Log("rename and back");
    ASSERT_EQ(::rename(path_.c_str(), next.c_str()), 0);
    ASSERT_EQ(::rename(next.c_str(), path_.c_str()), 0);
  }

  void KillDaemon() {
    Log("the daemon is killed");
    ASSERT_NE(mount_->KillDaemon(), 0);
    ++kills_;
  }

  void Remount() {
    Log("unmount and mount");
    CloseAll();
    ASSERT_EQ(mount_->Unmount(), 0);
    ASSERT_EQ(mount_->Mount(), "");
    ASSERT_NO_FATAL_FAILURE(ExpectWhole());
  }

  // ---- comparing

  void ExpectImage(int fd, std::uint64_t offset, std::uint64_t size) {
    std::string bytes(size, '?');
    auto const got = ::pread(fd, bytes.data(), size, static_cast<off_t>(offset));
    ASSERT_GE(got, 0) << std::strerror(errno);
    bytes.resize(static_cast<std::size_t>(got));
    auto const expected = offset < image_.size() ? image_.substr(offset, size) : std::string();
    ASSERT_EQ(bytes.size(), expected.size()) << "bytes at " << offset;
    auto const [here, there] = std::ranges::mismatch(bytes, expected);
    ASSERT_TRUE(here == bytes.end())
        << "byte " << offset + static_cast<std::uint64_t>(here - bytes.begin()) << " differs, in "
        << offset << "+" << size;
  }

  // By another process, which has no handle yet.
  void ExpectWhole() {
    struct stat status {};
    ASSERT_EQ(::stat(path_.c_str(), &status), 0) << std::strerror(errno);
    ASSERT_EQ(static_cast<std::uint64_t>(status.st_size), image_.size());
    ASSERT_TRUE(InChild([&] {
      int const fd = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
      ExpectImage(fd, 0, kLargest + 1);
      return !HasFailure();
    })) << "another process reads something else";
  }

  void ExpectOnServer() {
    CloseAll();
    ASSERT_NO_FATAL_FAILURE(ExpectWhole());
    ASSERT_EQ(mount_->WaitUploaded(), 0);
    auto const upload = server_->Find("file");
    ASSERT_TRUE(upload);
    EXPECT_TRUE(upload->complete);
    EXPECT_EQ(Sha256OfFile(server_->File(*upload)), Sha256(image_));
  }

  std::uint64_t seed_ = 0;
  std::uint64_t operations_ = 0;
  std::mt19937_64 random_;
  std::unique_ptr<MountedTusfs> mount_;
  std::string path_;
  std::string image_;
  std::vector<Handle> handles_;
  std::deque<std::string> last_;
  int kills_ = 0;
};

TEST_F(ExerciserTest, AFileIsWhatWasDoneToIt) {
  using Operation = void (ExerciserTest::*)();
  static constexpr Operation kMenu[] = {
      &ExerciserTest::Write, &ExerciserTest::Write,    &ExerciserTest::Write, &ExerciserTest::Write,
      &ExerciserTest::Read,  &ExerciserTest::Read,     &ExerciserTest::Read,  &ExerciserTest::Map,
      &ExerciserTest::Map,   &ExerciserTest::Allocate, &ExerciserTest::Open,  &ExerciserTest::Open,
      &ExerciserTest::Close, &ExerciserTest::Truncate};
  static constexpr Operation kRare[] = {&ExerciserTest::Sync, &ExerciserTest::Sync,
                                        &ExerciserTest::Rename, &ExerciserTest::ExpectWhole,
                                        &ExerciserTest::ExpectWhole};
  for (std::uint64_t i = 0; i < operations_; ++i) {
    auto operation =
        Random(20) == 0 ? kRare[Random(std::size(kRare))] : kMenu[Random(std::size(kMenu))];
    if (i % 300 == 150) operation = &ExerciserTest::KillDaemon;
    if (i % 1000 == 700) operation = &ExerciserTest::Remount;
    ASSERT_NO_FATAL_FAILURE((this->*operation)())
        << "operation " << i << ", TUSFS_EXERCISER_SEED=" << seed_;
  }
  ExpectOnServer();
  std::printf("%llu operations, %d kills of the daemon\n",
              static_cast<unsigned long long>(operations_), kills_);
}

// Each owns the pieces of its number. They are no whole pages, so that neighbours share pages.
TEST_F(ExerciserTest, ProcessesThatWriteSideBySideKeepTheirBytes) {
  constexpr std::uint64_t kWriters = 3;
  constexpr std::uint64_t kPiece = 3000;
  constexpr std::uint64_t kPieces = 300;
  auto const rounds = operations_ / 3;
  auto const write = [&](std::uint64_t number) {
    std::mt19937_64 random(seed_ + number);
    std::array const fds = {::open(path_.c_str(), O_RDWR | O_CLOEXEC),
                            ::open(path_.c_str(), O_WRONLY | O_CLOEXEC)};
    std::vector<std::string> mine(kPieces);
    for (std::uint64_t i = 0; i < rounds; ++i) {
      auto const piece = random() % (kPieces / kWriters) * kWriters + number;
      auto const at = static_cast<off_t>(piece * kPiece);
      if (auto const& was = mine[piece]; !was.empty()) {
        std::string bytes(kPiece, '?');
        if (::pread(fds[0], bytes.data(), kPiece, at) != kPiece || bytes != was) return false;
      }
      mine[piece] = RandomBytes(kPiece, random());
      if (::pwrite(fds[random() % 2], mine[piece].data(), kPiece, at) != kPiece) return false;
    }
    // What it leaves behind says so itself, for the comparison at the end.
    for (std::uint64_t piece = number; piece < kPieces; piece += kWriters) {
      auto const bytes = RandomBytes(kPiece, seed_ + piece);
      if (::pwrite(fds[piece % 2], bytes.data(), kPiece, static_cast<off_t>(piece * kPiece)) !=
          kPiece) {
        return false;
      }
    }
    return true;
  };
  std::vector<pid_t> writers;
  for (std::uint64_t number = 0; number < kWriters; ++number) {
    writers.push_back(::fork());
    if (writers.back() == 0) ::_exit(write(number) ? 0 : 1);
  }
  for (int i = 0; i < 3; ++i) ASSERT_NO_FATAL_FAILURE(KillDaemon());
  for (pid_t const writer : writers) {
    int status = -1;
    ::waitpid(writer, &status, 0);
    EXPECT_EQ(status, 0) << "a writer did not find what it had written";
  }
  for (std::uint64_t piece = 0; piece < kPieces; ++piece) {
    image_ += RandomBytes(kPiece, seed_ + piece);
  }
  ExpectOnServer();
}

}  // namespace
}  // namespace tusfs_testing
