// Sizes and holes: truncate, fallocate, SEEK_HOLE and SEEK_DATA, and what statvfs says.
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <string>

#include "posix/posix_test.h"

namespace tusfs_testing {
namespace {

constexpr off_t kBlock = 4096;

TEST_F(PosixTest, WhatGrowsByTruncationIsZeros) {
  ExpectSame([](Transcript& t) {
    for (int const access : {O_WRONLY, O_RDWR}) {
      t.Say("opened with " + std::to_string(access));
      Put("file", std::string(10'000, 'a'));
      int const fd = TRY_OPEN(::open("file", access | O_CLOEXEC));
      for (off_t const size : {9'999L, 12'000L, 5'000L, 4'096L, 4'097L, 100'000L, 1L, 0L, 8'193L}) {
        TRY(::ftruncate(fd, size));
        t.LookAt(fd);
        t.Content("file");
        TRY(::pwrite(fd, "mark", 4, size));
        TRY(::truncate("file", size + 2));
        t.Content("file");
      }
      TRY(::pwrite(fd, "far", 3, 300'000));
      t.Content("file");
      ::close(fd);
      t.Content("file");
    }
  });
}

TEST_F(PosixTest, HolesAndDataAreFound) {
  ExpectSame([](Transcript& t) {
    constexpr off_t kStride = 64 * 1024;  // no filesystem keeps finer account than this
    std::string const block(kStride, 'd');
    int const fd = TRY_OPEN(::open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    TRY(::lseek(fd, 0, SEEK_DATA));
    TRY(::lseek(fd, 0, SEEK_HOLE));
    TRY(::pwrite(fd, block.data(), block.size(), 2 * kStride));
    TRY(::pwrite(fd, block.data(), block.size(), 5 * kStride));
    TRY(::ftruncate(fd, 8 * kStride));
    TRY(::fsync(fd));
    for (off_t at = 0; at <= 8; ++at) {
      t.Say("from stride " + std::to_string(at));
      TRY(::lseek(fd, at * kStride, SEEK_DATA));
      TRY(::lseek(fd, at * kStride, SEEK_HOLE));
      TRY(::lseek(fd, at * kStride + 7, SEEK_DATA));
      TRY(::lseek(fd, at * kStride + 7, SEEK_HOLE));
    }
    TRY(::lseek(fd, -1, SEEK_DATA));
    TRY(::lseek(fd, 9 * kStride, SEEK_HOLE));
    int const reader = TRY_OPEN(::open("file", O_RDONLY | O_CLOEXEC));
    TRY(::lseek(reader, 0, SEEK_DATA));
    TRY(::lseek(reader, 2 * kStride, SEEK_HOLE));
    TRY(::lseek(reader, 0, SEEK_CUR));
    struct stat status {};
    ::fstat(fd, &status);
    t.Fact("a sparse file takes less room than its size",
           status.st_blocks * 512 < status.st_size ? "yes" : "no");
    int const directory = TRY_OPEN(::open(".", O_RDONLY | O_CLOEXEC));
    TRY(::ftruncate(fd, 0));
    TRY(::lseek(fd, 0, SEEK_DATA));
    ::close(directory);
  });
}

TEST_F(PosixTest, FallocateMakesRoomHolesAndZeros) {
  ExpectSame([](Transcript& t) {
    auto const show = [&](int fd) {
      t.LookAt(fd);
      t.Bytes("holds", BytesOf(fd));
    };
    Put("file", std::string(3 * kBlock, 'a'));
    int const fd = TRY_OPEN(::open("file", O_RDWR | O_CLOEXEC));
    TRY(::fallocate(fd, 0, 0, kBlock));
    show(fd);
    TRY(::fallocate(fd, 0, 2 * kBlock, 5 * kBlock));
    show(fd);
    TRY(::fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 20 * kBlock));
    show(fd);
    TRY(::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, kBlock, kBlock));
    show(fd);
    TRY(::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100, 50));
    show(fd);
    TRY(::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 2 * kBlock, 100 * kBlock));
    show(fd);
    TRY(::fallocate(fd, FALLOC_FL_ZERO_RANGE, 10, 20));
    show(fd);
    TRY(::fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 6 * kBlock, 3 * kBlock));
    show(fd);
    TRY(::fallocate(fd, FALLOC_FL_ZERO_RANGE, 6 * kBlock, 3 * kBlock));
    show(fd);
    TRY(::posix_fallocate(fd, 9 * kBlock, 10));
    show(fd);
    t.Say("what is refused");
    TRY(::fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, kBlock));
    TRY(::fallocate(fd, 0, -1, 10));
    TRY(::fallocate(fd, 0, 0, 0));
    TRY(::fallocate(fd, 0, 0, -5));
    TRY(::fallocate(fd, 1 << 20, 0, 10));
    TRY(::fallocate(fd, FALLOC_FL_COLLAPSE_RANGE, 0, kBlock));
    TRY(::fallocate(fd, FALLOC_FL_INSERT_RANGE, 0, kBlock));
    TRY(::fallocate(fd, FALLOC_FL_UNSHARE_RANGE, 0, kBlock));
    int const reader = TRY_OPEN(::open("file", O_RDONLY | O_CLOEXEC));
    int const directory = TRY_OPEN(::open(".", O_RDONLY | O_CLOEXEC));
    TRY(::fallocate(reader, 0, 0, 10));
    TRY(::fallocate(directory, 0, 0, 10));
    t.Say("through a write-only handle");
    int const writer = TRY_OPEN(::open("file", O_WRONLY | O_CLOEXEC));
    t.Effect({"file"}, [&] {
      TRY(::fallocate(writer, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, kBlock));
    });
    t.Effect({"file"}, [&] { TRY(::fallocate(writer, 0, 0, 30 * kBlock)); });
    t.Bytes("the reader sees zeros", BytesOf(reader));
  });
}

TEST_F(PosixTest, StatvfsGivesNumbersThatGoTogether) {
  ExpectSame([](Transcript& t) {
    struct statvfs about {};
    TRY(::statvfs(".", &about));
    t.Fact("longest name", static_cast<long>(about.f_namemax));
    t.Fact("free blocks are among the blocks",
           about.f_bfree <= about.f_blocks && about.f_bavail <= about.f_bfree ? "yes" : "no");
    t.Fact("free inodes are among the inodes", about.f_ffree <= about.f_files ? "yes" : "no");
    t.Fact("there is some room", about.f_bavail > 0 && about.f_frsize > 0 ? "yes" : "no");
    t.Fact("it can be written", (about.f_flag & ST_RDONLY) == 0 ? "yes" : "no");
    Put("file", "content");
    int const fd = TRY_OPEN(::open("file", O_RDONLY | O_CLOEXEC));
    TRY(::fstatvfs(fd, &about));
    TRY(::statvfs("missing", &about));
    t.Fact("PC_NAME_MAX", ::pathconf(".", _PC_NAME_MAX));
    TRY(::syncfs(fd));
  });
}

}  // namespace
}  // namespace tusfs_testing
