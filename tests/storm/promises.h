// Writers that note what the mount promised them, and the check that it kept its word.
//
// Each file has a name and content of its own. A promise is made when a system call returns: bytes
// by write(2) and fsync(2), a finished file by close(2). After a fault the mount, and in the end
// the server, are held against what was promised before it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "testing/mounted_tusfs.h"
#include "testing/test_server.h"

namespace tusfs_testing {

/// What became of one file.
struct PromisedFile {
  std::uint64_t seed = 0;
  std::uint64_t size = 0;     ///< when it is whole, bytes
  std::uint64_t written = 0;  ///< by writes that returned
  std::uint64_t synced = 0;   ///< by an fsync that returned
  bool closing = false;       ///< all of it was written, and close was called
  bool closed = false;        ///< and returned 0
  bool removed = false;       ///< by the check, because it was interrupted
  bool checked = false;       ///< it is known to be uploaded

  [[nodiscard]] std::string Content() const;
};

/// What died, and so what is left of a promise.
enum class Death {
  kProcess,  ///< processes die: whatever returned is there
  kMachine,  ///< the machine dies: whatever was synced is there
};

/// In bytes.
struct WriterSizes {
  std::uint64_t least_file = 1;
  std::uint64_t most_file = 1'500'000;
  std::uint64_t most_write = 200'000;
};

/// Of files that go in parts, which are more than one and less than ten.
inline constexpr WriterSizes kSizesInParts{
    .least_file = 5 << 20, .most_file = 40 << 20, .most_write = 512 << 10};

class Promises {
 public:
  /// Writers' own randomness comes from `seed`.
  explicit Promises(std::uint64_t seed, WriterSizes const& sizes = {})
      : seed_(seed), sizes_(sizes) {}

  /// `threads` writers begin, each with one new file after the other, in `directory`. They end by
  /// themselves when the mount does.
  void StartWriters(std::filesystem::path const& directory, int threads);
  /// Nothing that returns from now on counts.
  void Freeze();
  /// Waits for the end of the writers.
  void JoinWriters();

  /// Holds the mount against the promises, then copies half of the interrupted files again, as a
  /// person would, and removes the others. Failures are those of the running test.
  void CheckMount(MountedTusfs const& mount, Death death);
  /// When all is uploaded: each closed file is there once, and nothing else that is not whole.
  void CheckServer(TestServer& server) const;

  [[nodiscard]] std::size_t files() const { return files_.size(); }
  /// Of all files, whole, together.
  [[nodiscard]] std::uint64_t bytes() const;
  [[nodiscard]] int interrupted() const { return interrupted_; }

 private:
  using Random = std::mt19937_64;

  void Write(std::filesystem::path const& directory, std::uint64_t seed);
  bool WriteOne(std::filesystem::path const& path, std::string const& name, Random& random);
  template <typename Change>
  void Note(std::string const& name, Change const& change);
  void CheckFile(MountedTusfs const& mount, std::string const& name, PromisedFile& file,
                 std::string const& state, Death death);

  std::uint64_t const seed_;
  WriterSizes const sizes_;
  std::mutex mutex_;
  std::map<std::string, PromisedFile> files_;
  bool frozen_ = false;
  std::uint64_t next_ = 0;
  int interrupted_ = 0;
  std::vector<std::jthread> writers_;
};

}  // namespace tusfs_testing
