// Locks between processes: flock, POSIX records, and those of open file descriptions.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

#include "posix/posix_test.h"

namespace tusfs_testing {
namespace {

struct flock Range(short type, off_t start, off_t length) {
  struct flock range {};
  range.l_type = type;
  range.l_whence = SEEK_SET;
  range.l_start = start;
  range.l_len = length;
  return range;
}

TEST_F(PosixTest, FlockHoldsForAnOpenFile) {
  ExpectSame([](Transcript& t) {
    Put("file", "content");
    int const one = TRY_OPEN(::open("file", O_RDWR | O_CLOEXEC));
    int const two = TRY_OPEN(::open("file", O_RDONLY | O_CLOEXEC));
    int const duplicate = ::dup(one);
    TRY(::flock(one, LOCK_SH | LOCK_NB));
    TRY(::flock(two, LOCK_SH | LOCK_NB));
    TRY(::flock(two, LOCK_EX | LOCK_NB));
    TRY(::flock(one, LOCK_UN));
    TRY(::flock(two, LOCK_EX | LOCK_NB));
    TRY(::flock(one, LOCK_SH | LOCK_NB));
    t.InAnotherProcess([&] {
      int const mine = TRY_OPEN(::open("file", O_RDWR | O_CLOEXEC));
      TRY(::flock(mine, LOCK_SH | LOCK_NB));
      TRY(::flock(two, LOCK_EX | LOCK_NB));  // inherited: the same open file
    });
    TRY(::flock(two, LOCK_UN));
    TRY(::flock(duplicate, LOCK_EX | LOCK_NB));
    ::close(one);
    TRY(::flock(two, LOCK_SH | LOCK_NB));
    ::close(duplicate);
    TRY(::flock(two, LOCK_SH | LOCK_NB));
    int const directory = TRY_OPEN(::open(".", O_RDONLY | O_CLOEXEC));
    TRY(::flock(directory, LOCK_EX | LOCK_NB));
    TRY(::flock(two, 77));
  });
}

TEST_F(PosixTest, RecordLocksBelongToAProcess) {
  ExpectSame([](Transcript& t) {
    Put("file", std::string(100, 'c'));
    int const fd = TRY_OPEN(::open("file", O_RDWR | O_CLOEXEC));
    auto write_first = Range(F_WRLCK, 0, 10);
    auto read_second = Range(F_RDLCK, 10, 10);
    auto to_the_end = Range(F_WRLCK, 50, 0);
    TRY(::fcntl(fd, F_SETLK, &write_first));
    TRY(::fcntl(fd, F_SETLK, &read_second));
    TRY(::fcntl(fd, F_SETLK, &to_the_end));
    auto const others_try = [&] {
      int const mine = TRY_OPEN(::open("file", O_RDWR | O_CLOEXEC));
      for (short const type : {short{F_RDLCK}, short{F_WRLCK}}) {
        for (off_t const start : {5, 10, 15, 20, 30, 49, 50, 5000}) {
          t.Say("type " + std::to_string(type) + " at " + std::to_string(start));
          auto range = Range(type, start, 1);
          TRY(::fcntl(mine, F_SETLK, &range));
          range = Range(type, start, 1);
          TRY(::fcntl(mine, F_GETLK, &range));
          t.Fact("in the way", range.l_type);
          t.Fact("from", range.l_start);
          t.Fact("so long", range.l_len);
        }
      }
    };
    t.InAnotherProcess(others_try);
    auto nothing = Range(F_UNLCK, 3, 4);
    TRY(::fcntl(fd, F_SETLK, &nothing));
    t.InAnotherProcess(others_try);
    t.Say("any close of the file drops them");
    ::close(TRY_OPEN(::open("file", O_RDONLY | O_CLOEXEC)));
    t.InAnotherProcess(others_try);
    t.Say("what is refused");
    int const reader = TRY_OPEN(::open("file", O_RDONLY | O_CLOEXEC));
    auto range = Range(F_WRLCK, 0, 1);
    TRY(::fcntl(reader, F_SETLK, &range));
    range = Range(F_RDLCK, -5, 1);
    TRY(::fcntl(reader, F_SETLK, &range));
    range = Range(77, 0, 1);
    TRY(::fcntl(reader, F_SETLK, &range));
  });
}

TEST_F(PosixTest, DescriptionLocksBelongToAnOpenFile) {
  ExpectSame([](Transcript& t) {
    Put("file", std::string(100, 'c'));
    int const one = TRY_OPEN(::open("file", O_RDWR | O_CLOEXEC));
    int const two = TRY_OPEN(::open("file", O_RDWR | O_CLOEXEC));
    auto range = Range(F_WRLCK, 0, 10);
    TRY(::fcntl(one, F_OFD_SETLK, &range));
    TRY(::fcntl(two, F_OFD_SETLK, &range));
    auto beside = Range(F_WRLCK, 10, 10);
    TRY(::fcntl(two, F_OFD_SETLK, &beside));
    auto asked = Range(F_WRLCK, 0, 30);
    TRY(::fcntl(two, F_OFD_GETLK, &asked));
    t.Fact("owner", asked.l_pid);
    auto record = Range(F_WRLCK, 0, 1);
    TRY(::fcntl(two, F_SETLK, &record));
    ::close(TRY_OPEN(::open("file", O_RDONLY | O_CLOEXEC)));
    TRY(::fcntl(two, F_OFD_SETLK, &range));
    t.InAnotherProcess([&] {
      TRY(::fcntl(one, F_OFD_SETLK, &range));  // inherited
      TRY(::fcntl(one, F_OFD_SETLK, &beside));
    });
    ::close(one);
    TRY(::fcntl(two, F_OFD_SETLK, &range));
  });
}

TEST_F(PosixTest, AWaiterGetsTheLockOfAProcessThatEnds) {
  ExpectSame([](Transcript& t) {
    Put("file", "content");
    int held[2];
    int release[2];
    ::pipe2(held, O_CLOEXEC);
    ::pipe2(release, O_CLOEXEC);
    pid_t const holder = ::fork();
    if (holder == 0) {
      ::close(release[1]);
      int const fd = ::open("file", O_RDWR | O_CLOEXEC);
      auto range = Range(F_WRLCK, 0, 0);
      ::fcntl(fd, F_SETLK, &range);
      ::write(held[1], "h", 1);
      char byte = 0;
      ::read(release[0], &byte, 1);
      ::_exit(0);  // and does not unlock
    }
    char byte = 0;
    TRY(::read(held[0], &byte, 1));
    int const fd = TRY_OPEN(::open("file", O_RDWR | O_CLOEXEC));
    auto range = Range(F_WRLCK, 0, 0);
    TRY(::fcntl(fd, F_SETLK, &range));
    TRY(::write(release[1], "r", 1));
    TRY(::fcntl(fd, F_SETLKW, &range));
    ::waitpid(holder, nullptr, 0);
  });
}

}  // namespace
}  // namespace tusfs_testing
