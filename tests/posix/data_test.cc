// Bytes: positions, appending, vectors, what two handles see of each other, files without names.
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "posix/posix_test.h"

namespace tusfs_testing {
namespace {

constexpr std::size_t kPage = 4096;

TEST_F(PosixTest, ReadsAndWritesGoWhereThePositionIs) {
  ExpectSame([](Transcript& t) {
    char bytes[32] = {};
    int const fd = TRY_OPEN(::open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    TRY(::read(fd, bytes, sizeof bytes));
    TRY(::write(fd, "0123456789", 10));
    TRY(::lseek(fd, 0, SEEK_CUR));
    TRY(::lseek(fd, -4, SEEK_END));
    TRY(::read(fd, bytes, sizeof bytes));
    TRY(::lseek(fd, -1, SEEK_SET));
    TRY(::lseek(fd, 0, 77));
    TRY(::lseek(fd, 100, SEEK_SET));
    TRY(::read(fd, bytes, sizeof bytes));
    t.LookAt(fd);
    TRY(::write(fd, "x", 1));
    t.LookAt(fd);
    TRY(::pwrite(fd, "yy", 2, 5));
    TRY(::pread(fd, bytes, 4, 4));
    TRY(::pread(fd, bytes, 4, 101));
    TRY(::pread(fd, bytes, 4, -1));
    TRY(::pwrite(fd, bytes, 4, -1));
    TRY(::write(fd, bytes, 0));
    TRY(::read(fd, bytes, 0));
    TRY(::ftruncate(fd, -1));
    TRY(::truncate("file", -1));
    void* volatile nowhere = nullptr;
    TRY(::read(fd, nowhere, 4));
    iovec const parts[] = {{bytes, 3}, {bytes + 10, 0}, {bytes + 20, 5}};
    TRY(::pwritev(fd, parts, 3, 50));
    TRY(::preadv(fd, parts, 3, 0));
    TRY(::writev(fd, parts, 3));
    TRY(::readv(fd, parts, 3));
    int volatile negative = -1;
    TRY(::preadv(fd, parts, negative, 0));
    TRY(::fsync(fd));
    TRY(::fdatasync(fd));
    TRY(::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED));
    ::close(fd);
    t.Content("file");
    t.Say("what a handle was not opened for");
    int const reader = TRY_OPEN(::open("file", O_RDONLY | O_CLOEXEC));
    int const writer = TRY_OPEN(::open("file", O_WRONLY | O_CLOEXEC));
    int const path = TRY_OPEN(::open("file", O_PATH | O_CLOEXEC));
    int const directory = TRY_OPEN(::open(".", O_RDONLY | O_CLOEXEC));
    TRY(::write(reader, "x", 1));
    TRY(::ftruncate(reader, 0));
    TRY(::read(writer, bytes, 1));
    TRY(::read(path, bytes, 1));
    TRY(::ftruncate(path, 0));
    TRY(::fsync(reader));
    TRY(::read(directory, bytes, 1));
    TRY(::write(directory, bytes, 1));
    TRY(::ftruncate(directory, 0));
    TRY(::truncate(".", 0));
    TRY(::truncate("missing", 0));
    TRY(::fsync(directory));
    TRY(::open(".", O_RDWR));
    t.Content("file");
  });
}

TEST_F(PosixTest, AFileIsAsLargeAsTheLimitsAllow) {
  ExpectSame([](Transcript& t) {
    ::signal(SIGXFSZ, SIG_IGN);
    int const fd = TRY_OPEN(::open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    ::unlink("file");  // nobody is to send what it seems to hold
    constexpr off_t kTera = off_t{1} << 40;
    char bytes[8] = {};
    TRY(::pwrite(fd, "far", 3, kTera));
    t.LookAt(fd);
    TRY(::pread(fd, bytes, 8, kTera - 4));
    TRY(::pread(fd, bytes, 8, kTera + 1));
    TRY(::ftruncate(fd, kTera + 5));
    t.LookAt(fd);
    TRY(::ftruncate(fd, 4));
    t.LookAt(fd);
    t.Say("past every limit");
    TRY(::pwrite(fd, "x", 1, LLONG_MAX));
    TRY(::ftruncate(fd, LLONG_MAX));
    t.LookAt(fd);
    t.Say("past RLIMIT_FSIZE");
    rlimit const limit{.rlim_cur = 8192, .rlim_max = RLIM_INFINITY};
    rlimit const fallback{.rlim_cur = 8192, .rlim_max = 8192};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::setrlimit(RLIMIT_FSIZE, &fallback);
    std::string const block(16384, 'b');
    TRY(::pwrite(fd, block.data(), block.size(), 0));
    TRY(::pwrite(fd, "x", 1, 8192));
    TRY(::ftruncate(fd, 8193));
    TRY(::ftruncate(fd, 8192));
    t.LookAt(fd);
  });
}

TEST_F(PosixTest, AppendingWritersDoNotWriteOverEachOther) {
  ExpectSame([](Transcript& t) {
    int const fd = TRY_OPEN(::open("log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    TRY(::lseek(fd, 0, SEEK_SET));
    TRY(::write(fd, "one,", 4));
    TRY(::lseek(fd, 0, SEEK_CUR));
    int const other = TRY_OPEN(::open("log", O_RDWR | O_APPEND | O_CLOEXEC));
    TRY(::write(other, "two,", 4));
    TRY(::write(fd, "three,", 6));
    TRY(::pwrite(other, "four,", 5, 0));  // on Linux this appends, too
    t.Content("log");
    TRY(::ftruncate(fd, 4));
    TRY(::write(other, "five", 4));
    t.Content("log");
    TRY(::fcntl(fd, F_SETFL, 0));
    TRY(::lseek(fd, 1, SEEK_SET));
    TRY(::write(fd, "NE", 2));
    TRY(::fcntl(fd, F_SETFL, O_APPEND));
    TRY(::write(fd, "end", 3));
    t.Content("log");

    t.Say("two processes append records at the same time");
    constexpr int kRecords = 500;
    auto const append = [](char letter) {
      int const log = ::open("records", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
      std::string const record(99, letter);
      for (int i = 0; i < kRecords; ++i) {
        if (::write(log, (record + "\n").data(), 100) != 100) ::_exit(1);
      }
      ::close(log);
    };
    pid_t const child = ::fork();
    if (child == 0) {
      append('a');
      ::_exit(0);
    }
    append('b');
    int status = -1;
    ::waitpid(child, &status, 0);
    t.Fact("the other writer's status", status);
    int const log = ::open("records", O_RDONLY | O_CLOEXEC);
    auto const records = BytesOf(log);
    t.Fact("bytes", static_cast<long>(records.size()));
    int whole = 0;
    for (std::size_t at = 0; at + 100 <= records.size(); at += 100) {
      auto const record = records.substr(at, 100);
      if (record == std::string(99, record[0]) + "\n") ++whole;
    }
    t.Fact("whole records", whole);
  });
}

TEST_F(PosixTest, HandlesOfOneFileSeeEachOthersWrites) {
  ExpectSame([](Transcript& t) {
    Put("file", std::string(10'000, 'a'));
    int const both = TRY_OPEN(::open("file", O_RDWR | O_CLOEXEC));
    int const reader = TRY_OPEN(::open("file", O_RDONLY | O_CLOEXEC));
    int const writer = TRY_OPEN(::open("file", O_WRONLY | O_CLOEXEC));
    t.Bytes("the reader begins with", BytesOf(reader));
    t.Bytes("and the other", BytesOf(both));
    TRY(::pwrite(writer, "through the write-only handle", 29, 4090));
    t.Bytes("the reader sees", BytesOf(reader));
    t.Bytes("the other sees", BytesOf(both));
    TRY(::pwrite(both, "through the other", 17, 8000));
    t.Bytes("the reader sees", BytesOf(reader));
    TRY(::pwrite(writer, "longer", 6, 20'000));
    t.Bytes("the reader sees", BytesOf(reader));
    t.Bytes("the other sees", BytesOf(both));
    TRY(::ftruncate(writer, 100));
    t.Bytes("the reader sees", BytesOf(reader));
    t.Bytes("the other sees", BytesOf(both));
    TRY(::ftruncate(both, 5000));
    t.Bytes("the reader sees", BytesOf(reader));
    t.Bytes("the other sees", BytesOf(both));
    t.InAnotherProcess([&] {
      int const fd = TRY_OPEN(::open("file", O_RDWR | O_TRUNC | O_CLOEXEC));
      TRY(::write(fd, "anew", 4));
    });
    t.Bytes("the reader sees", BytesOf(reader));
    t.Bytes("the other sees", BytesOf(both));
    TRY(::pwrite(both, "end", 3, 6000));
    t.Content("file");
    TRY(::unlink("file"));
    Put("file", "another file of that name");
    t.Bytes("the reader sees", BytesOf(reader));
    TRY(::rename("file", "moved"));
    t.LookAt(reader);
    t.Content("moved");
  });
}

TEST_F(PosixTest, AFileWithoutANameLivesWhileItIsOpen) {
  ExpectSame([](Transcript& t) {
    Put("file", "content");
    int const fd = TRY_OPEN(::open("file", O_RDWR | O_CLOEXEC));
    ::link("file", "second");
    TRY(::unlink("file"));
    t.LookAt(fd);
    TRY(::unlink("second"));
    t.LookAt(fd);
    TRY(::write(fd, "CON", 3));
    TRY(::ftruncate(fd, 20));
    TRY(::fchmod(fd, 0600));
    TRY(::fsync(fd));
    t.LookAt(fd);
    t.Bytes("holds", BytesOf(fd));
    auto const self = "/proc/self/fd/" + std::to_string(fd);
    struct stat status {};
    TRY(::stat(self.c_str(), &status));
    int const again = TRY_OPEN(::open(self.c_str(), O_RDWR | O_CLOEXEC));
    TRY(::pwrite(again, "again", 5, 10));
    t.Bytes("holds", BytesOf(fd));
    TRY(::linkat(AT_FDCWD, self.c_str(), AT_FDCWD, "back", AT_SYMLINK_FOLLOW));
    t.Look("back");
    t.LookAt(fd);
    ::close(fd);
    t.Bytes("the other handle holds", BytesOf(again));
    TRY(::ftruncate(again, 0));
    t.LookAt(again);

    t.Say("replaced by a rename while it is open");
    Put("old", "old bytes");
    Put("new", "new bytes");
    int const old = TRY_OPEN(::open("old", O_RDWR | O_CLOEXEC));
    TRY(::rename("new", "old"));
    t.LookAt(old);
    TRY(::write(old, "OLD", 3));
    t.Bytes("holds", BytesOf(old));
    t.Content("old");
    t.Say("a directory that is gone");
    ::mkdir("directory", 0755);
    int const directory = TRY_OPEN(::open("directory", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    TRY(::rmdir("directory"));
    TRY(::fstat(directory, &status));
    TRY(::openat(directory, "file", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    TRY(::mkdirat(directory, "below", 0755));
  });
}

TEST_F(PosixTest, SharedMapsAndFilesAreTheSameBytes) {
  ExpectSame([](Transcript& t) {
    int const fd = TRY_OPEN(::open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    TRY(::ftruncate(fd, 3 * kPage + 100));
    auto* const map =
        static_cast<char*>(::mmap(nullptr, 4 * kPage, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    t.Fact("mapped", map != MAP_FAILED ? "yes" : "no");
    if (map == MAP_FAILED) return;
    std::memcpy(map + kPage - 5, "across pages", 12);
    t.Bytes("read sees", BytesOf(fd));
    int const other = TRY_OPEN(::open("file", O_RDONLY | O_CLOEXEC));
    t.Bytes("another handle sees", BytesOf(other));
    TRY(::pwrite(fd, "written", 7, 2 * kPage));
    t.Bytes("the map sees", std::string(map + 2 * kPage, 7));
    t.InAnotherProcess([&] {
      int const mine = TRY_OPEN(::open("file", O_RDWR | O_CLOEXEC));
      TRY(::pwrite(mine, "by another", 10, 50));
    });
    t.Bytes("the map sees", std::string(map + 50, 10));
    TRY(::msync(map, 4 * kPage, MS_SYNC));
    t.Effect({"file"}, [&] {
      map[0] = 'm';
      TRY(::msync(map, 4 * kPage, MS_SYNC));
    });
    t.Content("file");
    auto* const own =
        static_cast<char*>(::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
    own[0] = 'p';
    t.Content("file");
    TRY(::ftruncate(fd, kPage));
    TRY(::ftruncate(fd, 2 * kPage));
    t.Bytes("the map after it was cut", std::string(map, 2 * kPage));
    map[kPage + 7] = 'z';
    TRY(::munmap(map, 4 * kPage));
    ::close(fd);
    t.Content("file");
    t.Say("what may not be mapped");
    int const reader = TRY_OPEN(::open("file", O_RDONLY | O_CLOEXEC));
    errno = 0;
    auto const* const refused =
        ::mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, reader, 0);
    t.Fact("a writable map of a file opened for reading", refused == MAP_FAILED ? errno : 0);
  });
}

TEST_F(PosixTest, BytesAreCopiedInTheKernel) {
  ExpectSame([](Transcript& t) {
    std::string content(200'000, '?');
    for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>('a' + i % 23);
    Put("from", content);
    int const from = TRY_OPEN(::open("from", O_RDONLY | O_CLOEXEC));
    int const to = TRY_OPEN(::open("to", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    off_t offset = 10;
    TRY(::sendfile(to, from, &offset, 100'000));
    t.Fact("offset", offset);
    off_t in = 50'000;
    off_t out = 150'000;
    TRY(::copy_file_range(from, &in, to, &out, 70'000, 0));
    in = 190'000;
    TRY(::copy_file_range(from, &in, to, &out, 70'000, 0));
    TRY(::copy_file_range(from, &in, to, &out, 70'000, 0));
    TRY(::copy_file_range(from, nullptr, from, nullptr, 10, 0));
    TRY(::copy_file_range(from, nullptr, to, nullptr, 10, 1));
    t.Content("to");
    int ends[2];
    ::pipe2(ends, O_CLOEXEC);
    offset = 1000;
    TRY(::splice(from, &offset, ends[1], nullptr, 30'000, 0));
    offset = 500'000;
    TRY(::splice(ends[0], nullptr, to, &offset, 30'000, 0));
    t.Content("to");
    t.Say("across filesystems");
    TRY(::rename("from", "/proc/from"));
    TRY(::link("from", "/proc/from"));
  });
}

}  // namespace
}  // namespace tusfs_testing
