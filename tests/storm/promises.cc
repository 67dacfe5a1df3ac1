#include "storm/promises.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <utility>

#include "testing/files.h"

namespace tusfs_testing {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr std::uint64_t kRandomBlock = 1 << 20;

void SyncDirectory(fs::path const& directory) {
  int const fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  EXPECT_EQ(::fsync(fd), 0);
  ::close(fd);
}

std::uint64_t Between(std::mt19937_64& random, std::uint64_t least, std::uint64_t most) {
  return std::uniform_int_distribution<std::uint64_t>(least, most)(random);
}

}  // namespace

// One random block again and again, with its number in front: making all of it random takes longer
// than writing it.
std::string PromisedFile::Content() const {
  auto const block = RandomBytes(std::min(size, kRandomBlock), seed);
  std::string content;
  content.reserve(size);
  for (std::uint64_t number = 0; content.size() < size; ++number) {
    auto const begin = content.size();
    content.append(block, 0, size - begin);
    std::memcpy(content.data() + begin, &number, std::min(sizeof number, content.size() - begin));
  }
  return content;
}

void Promises::StartWriters(fs::path const& directory, int threads) {
  frozen_ = false;
  for (int i = 0; i < threads; ++i) {
    writers_.emplace_back([this, directory, seed = seed_ + ++next_] { Write(directory, seed); });
  }
}

void Promises::Freeze() {
  std::lock_guard const lock(mutex_);
  frozen_ = true;
}

void Promises::JoinWriters() { writers_.clear(); }

template <typename Change>
void Promises::Note(std::string const& name, Change const& change) {
  std::lock_guard const lock(mutex_);
  if (!frozen_) change(files_[name]);
}

void Promises::Write(fs::path const& directory, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  for (int i = 0;; ++i) {
    auto const name = "w" + std::to_string(seed) + "-" + std::to_string(i);
    if (!WriteOne(directory / name, name, random)) return;
  }
}

// False when the mount is gone.
bool Promises::WriteOne(fs::path const& path, std::string const& name, Random& random) {
  PromisedFile file;
  file.seed = random();
  file.size = Between(random, sizes_.least_file, sizes_.most_file);
  bool const syncs = Between(random, 0, 2) == 0;
  auto const content = file.Content();
  // Known before it exists: what a fault leaves of it must not be published.
  Note(name, [&](PromisedFile& noted) { noted = file; });
  int const fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0) return false;
  std::size_t done = 0;
  while (done < content.size()) {
    auto const size = std::min(content.size() - done,
                               static_cast<std::size_t>(Between(random, 1, sizes_.most_write)));
    auto const wrote = ::write(fd, content.data() + done, size);
    if (wrote <= 0) break;
    done += static_cast<std::size_t>(wrote);
    Note(name, [&](PromisedFile& noted) { noted.written = done; });
    if (syncs && Between(random, 0, 3) == 0 && ::fsync(fd) == 0) {
      Note(name, [&](PromisedFile& noted) { noted.synced = done; });
    }
    std::this_thread::sleep_for(milliseconds(Between(random, 0, 3)));  // a writer has its pace
  }
  bool const is_whole = done == content.size();
  if (is_whole && syncs && ::fsync(fd) == 0) {
    Note(name, [&](PromisedFile& noted) { noted.synced = done; });
  }
  if (is_whole) {
    Note(name, [](PromisedFile& noted) { noted.closing = true; });
  }
  bool const closed = ::close(fd) == 0 && is_whole;
  if (closed) {
    Note(name, [](PromisedFile& noted) { noted.closed = true; });
  }
  return closed;
}

void Promises::CheckMount(MountedTusfs const& mount, Death death) {
  auto const listed = TusfsCtl({"list", "--json", mount.mountpoint()});
  ASSERT_TRUE(listed.json.is_object() && listed.json.contains("files")) << listed.err;
  EXPECT_EQ(mount.Log().find("damaged"), std::string::npos) << mount.Log();
  std::map<std::string, std::string> states;
  for (auto const& entry : listed.json["files"]) {
    states[entry.value("path", "")] = entry.value("state", "");
  }
  for (auto& [name, file] : files_) {
    if (file.checked) continue;
    if (file.removed) {
      EXPECT_FALSE(states.contains(name)) << name << " was removed, and is there again";
      continue;
    }
    SCOPED_TRACE(name + " of " + std::to_string(file.size) + " bytes, written " +
                 std::to_string(file.written) + ", synced " + std::to_string(file.synced) +
                 (file.closed    ? ", closed"
                  : file.closing ? ", closing"
                                 : ""));
    auto const found = states.find(name);
    CheckFile(mount, name, file, found == states.end() ? "" : found->second, death);
  }
}

void Promises::CheckFile(MountedTusfs const& mount, std::string const& name, PromisedFile& file,
                         std::string const& state, Death death) {
  auto const promised = death == Death::kProcess ? file.written : file.synced;
  if (state.empty()) {
    EXPECT_EQ(promised, 0U) << "it is not there";
    file.removed = true;
    return;
  }
  auto const whole = file.Content();
  auto const bytes = ReadFile(mount / name);
  EXPECT_GE(bytes.size(), promised);
  EXPECT_TRUE(whole.starts_with(bytes)) << bytes.size() << " bytes that were never written";
  if (state != "interrupted") {
    EXPECT_TRUE(file.closing) << "it is " << state << ", and its writer never closed it";
    EXPECT_EQ(bytes.size(), whole.size()) << "it is " << state;
    file.checked = state == "uploaded";
    return;
  }
  EXPECT_FALSE(death == Death::kProcess && file.closed) << "it was closed, and is interrupted";
  ++interrupted_;
  if (interrupted_ % 2 == 0) {
    WriteFile(mount / name, whole);
    file.written = whole.size();
    file.closing = file.closed = true;
    if (death == Death::kMachine) file.synced = 0;  // this is another body, and nobody synced it
  } else {
    EXPECT_TRUE(fs::remove(mount / name));
    SyncDirectory(mount.mountpoint());
    file.removed = true;
  }
}

std::uint64_t Promises::bytes() const {
  std::uint64_t bytes = 0;
  for (auto const& [name, file] : files_) bytes += file.size;
  return bytes;
}

void Promises::CheckServer(TestServer& server) const {
  std::map<std::string, std::vector<UploadView>> published;
  for (auto const& upload : server.Uploads()) {
    auto const name = upload.metadata.find("filename");
    if (upload.complete && name != upload.metadata.end()) published[name->second].push_back(upload);
  }
  for (auto const& [name, file] : files_) {
    auto const& uploads = published[name];
    SCOPED_TRACE(name);
    // One that was removed while it was settling may be published or not.
    bool const must = file.closed && !file.removed;
    EXPECT_LE(uploads.size(), 1U) << "published more than once";
    EXPECT_TRUE(!must || uploads.size() == 1) << "not published";
    EXPECT_TRUE(file.closing || uploads.empty()) << "half a file was published";
    for (auto const& upload : uploads) {
      EXPECT_EQ(Sha256OfFile(server.File(upload)), Sha256(file.Content()));
    }
  }
}

}  // namespace tusfs_testing
