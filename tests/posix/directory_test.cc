// Reading directories: every name once, however they change meanwhile.
//
// $TUSFS_DIRECTORY_ENTRIES: names of the large directory (default 100,000).
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <string>
#include <vector>

#include "posix/posix_test.h"
#include "testing/environment.h"

namespace tusfs_testing {
namespace {

std::vector<std::string> Names(DIR* directory) {
  std::vector<std::string> names;
  while (auto const* entry = ::readdir(directory)) names.emplace_back(entry->d_name);
  return names;
}

std::string Joined(std::vector<std::string> names) {
  std::ranges::sort(names);
  std::string text;
  for (auto const& name : names) text += name + " ";
  return text;
}

TEST_F(PosixTest, ADirectoryListsWhatIsInIt) {
  ExpectSame([](Transcript& t) {
    ::mkdir("directory", 0755);
    ::mkdir("directory/sub", 0755);
    Put("directory/file", "");
    ::symlink("file", "directory/link");
    ::mkfifo("directory/fifo", 0644);
    DIR* const directory = ::opendir("directory");
    std::map<std::string, int> types;
    while (auto const* entry = ::readdir(directory)) types[entry->d_name] = entry->d_type;
    for (std::string const name : {".", "..", "sub", "file", "link", "fifo"}) {
      t.Fact("type of " + name, types[name]);
    }
    t.Say("what came and went since");
    Put("directory/new", "");
    ::unlink("directory/file");
    ::rewinddir(directory);
    t.Fact("read anew", Joined(Names(directory)));
    ::closedir(directory);
    t.Say("inode numbers of entries are those of stat");
    DIR* const again = ::opendir("directory");
    while (auto const* entry = ::readdir(again)) {
      struct stat status {};
      auto const path = std::string("directory/") + entry->d_name;
      if (::lstat(path.c_str(), &status) != 0 || status.st_ino != entry->d_ino) {
        t.Fact(path, "has another inode number");
      }
    }
    ::closedir(again);
    t.Say("who may list");
    ::chmod("directory", 0311);
    TRY_OPEN(::open("directory", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    ::chmod("directory", 0444);
    DIR* const listed = ::opendir("directory");
    t.Fact("names", listed != nullptr ? Joined(Names(listed)) : "");
    struct stat status {};
    TRY(::stat("directory/new", &status));
    ::chmod("directory", 0755);
  });
}

TEST_F(PosixTest, PositionsInADirectoryAreGoneBackTo) {
  ExpectSame([](Transcript& t) {
    ::mkdir("directory", 0755);
    for (int i = 0; i < 500; ++i) ::mkdir(("directory/" + std::to_string(i)).c_str(), 0755);
    DIR* const directory = ::opendir("directory");
    std::vector<std::pair<long, std::string>> seen;  // where each name begins
    for (long at = ::telldir(directory); auto const* entry = ::readdir(directory);
         at = ::telldir(directory)) {
      seen.emplace_back(at, entry->d_name);
    }
    t.Fact("names", static_cast<long>(seen.size()));
    int wrong = 0;
    for (std::size_t i = 0; i < seen.size(); i += 7) {
      ::seekdir(directory, seen[i].first);
      auto const* const entry = ::readdir(directory);
      if (entry == nullptr || seen[i].second != entry->d_name) ++wrong;
    }
    t.Fact("wrong after seekdir", wrong);
    // The others stay where they are when some go.
    for (std::size_t i = 0; i < seen.size(); i += 2)
      ::rmdir(("directory/" + seen[i].second).c_str());
    wrong = 0;
    for (std::size_t i = 1; i < seen.size(); i += 14) {
      if (seen[i].second.starts_with(".")) continue;
      ::seekdir(directory, seen[i].first);
      auto const* const entry = ::readdir(directory);
      if (entry == nullptr || seen[i].second != entry->d_name) ++wrong;
    }
    t.Fact("wrong after removals", wrong);
    ::closedir(directory);
  });
}

TEST_F(PosixTest, AllNamesOfADirectoryCanBeRemovedWhileItIsRead) {
  ExpectSame([](Transcript& t) {
    ::mkdir("directory", 0755);
    for (int i = 0; i < 1000; ++i) ::symlink("x", ("directory/" + std::to_string(i)).c_str());
    DIR* const directory = ::opendir("directory");
    long removed = 0;
    while (auto const* entry = ::readdir(directory)) {
      if (::unlink((std::string("directory/") + entry->d_name).c_str()) == 0) ++removed;
    }
    ::closedir(directory);
    t.Fact("removed", removed);
    TRY(::rmdir("directory"));
  });
}

// Not compared: it holds for any local filesystem, and making the names is what takes the time.
TEST_F(PosixTest, NamesThatStayAreReadExactlyOnceWhileOthersComeAndGo) {
  auto const stable = static_cast<int>(FromEnvironment("TUSFS_DIRECTORY_ENTRIES", 100'000));
  auto const large = (*mount_ / "large").string();
  ASSERT_EQ(::mkdir(large.c_str(), 0755), 0);
  int const top = ::open(large.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  auto const make = [&](char kind, int number) {
    return ::symlinkat("x", top, (kind + std::to_string(number)).c_str()) == 0;
  };
  for (int i = 0; i < stable; ++i) {
    ASSERT_TRUE(make('s', i));
    if (i % 50 == 0) {
      ASSERT_TRUE(make('r', i));  // to be removed
    }
  }
  DIR* const directory = ::opendir(large.c_str());
  ASSERT_NE(directory, nullptr);
  std::vector<int> seen(static_cast<std::size_t>(stable));
  std::map<std::string, int> others;
  int read = 0;
  while (auto const* entry = ::readdir(directory)) {
    std::string const name = entry->d_name;
    if (name[0] == 's') {
      ++seen.at(static_cast<std::size_t>(std::stoi(name.substr(1))));
    } else {
      ++others[name];
    }
    if (++read % 50 != 0) continue;
    int const number = 50 * (read / 50);
    make('n', number);
    ::unlinkat(top, ("r" + std::to_string(number)).c_str(), 0);
    ::renameat(top, ("n" + std::to_string(number - 50)).c_str(), top,
               ("m" + std::to_string(number)).c_str());
  }
  ::closedir(directory);
  EXPECT_EQ(std::ranges::count(seen, 1), stable);
  for (auto const& [name, times] : others) {
    ASSERT_EQ(times, 1) << name << ": a name that comes or goes is read once or not at all";
  }
  ::close(top);
}

}  // namespace
}  // namespace tusfs_testing
