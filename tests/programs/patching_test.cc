// A writer that changes random places of a file that is being sent: what is published in the end
// is the file, and what is published before is the file as it was closed.
#include <fcntl.h>
#include <unistd.h>

#include <random>
#include <set>

#include "programs/programs_test.h"

namespace tusfs_testing {
namespace {

class PatchingTest : public ProgramsTest {
 protected:
  /// Opens, changes a few random places of `content` and of the file, closes.
  void ChangeSomePlaces(std::string const& name, std::string& content, std::mt19937& random,
                        int places) {
    constexpr std::size_t kMost = 20'000;
    int const fd = ::open(In(name).c_str(), O_WRONLY | O_CLOEXEC);
    ASSERT_GE(fd, 0);
    for (int i = 0; i < places; ++i) {
      auto const at = random() % content.size();
      auto const bytes = RandomBytes(std::min(1 + random() % kMost, content.size() - at), random());
      content.replace(at, bytes.size(), bytes);
      ASSERT_EQ(::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(at)),
                static_cast<ssize_t>(bytes.size()));
    }
    ASSERT_EQ(::close(fd), 0);
  }
};

TEST_F(PatchingTest, TwoThousandRoundsEndWithTheFileAndNothingThatItNeverWas) {
  constexpr std::uint64_t kSize = 6 * kMiB;
  constexpr int kRounds = 2000;
  constexpr int kRoundsOfAPause = 200;
  auto const seed = std::random_device{}();
  std::printf("seed %u\n", seed);
  std::mt19937 random(seed);
  Mount({"--settle", "0"});
  server_->SetRate(40 * kMiB);
  auto const source = Source("source", kSize);
  auto content = ReadFile(source);
  Run({"cp", source, In("file")});
  std::set<std::string> closed{Sha256(content)};

  for (int round = 1; round <= kRounds; ++round) {
    ASSERT_NO_FATAL_FAILURE(ChangeSomePlaces("file", content, random, 1 + random() % 4));
    // Bytes have to flow between changes, else none is ever in the way of a PATCH.
    auto const sent = server_->SentBytes();
    if (random() % 8 == 0) {
      (void)WaitFor([&] { return server_->SentBytes() != sent; }, std::chrono::milliseconds(20));
    }
    if (round % kRoundsOfAPause == 0) {
      ASSERT_EQ(mount_->WaitUploaded(), 0);
    }
    closed.insert(Sha256(content));
  }
  ASSERT_EQ(mount_->WaitUploaded(), 0);

  auto const uploads = server_->Uploads();
  int finished_as_it_is = 0;
  int finished = 0;
  for (auto const& upload : uploads) {
    if (!upload.complete) continue;
    auto const published = Sha256OfFile(server_->File(upload));
    EXPECT_TRUE(closed.contains(published)) << "published is what the file never was";
    finished_as_it_is += published == Sha256(content) ? 1 : 0;
    ++finished;
  }
  EXPECT_EQ(finished_as_it_is, 1);
  EXPECT_TRUE(ReadFile(In("file")) == content);
  std::printf("rounds %d, published %d times, requests %zu\n", kRounds, finished,
              server().Requests().size());
  AddRow("2,000 changes at random places, closed each time", "uploaded", kSize);
}

TEST_F(PatchingTest, ChangesOfAFileThatStaysOpenArePublishedOnce) {
  constexpr std::uint64_t kSize = 6 * kMiB;
  constexpr int kRounds = 2000;
  auto const seed = std::random_device{}();
  std::printf("seed %u\n", seed);
  std::mt19937 random(seed);
  Mount();
  server_->SetRate(40 * kMiB);
  auto const source = Source("source", kSize);
  auto content = ReadFile(source);
  int const fd = ::open(In("file").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  ASSERT_GE(fd, 0);
  Run({"cp", source, In("file")});
  for (int round = 0; round < kRounds; round += 10) {
    ASSERT_NO_FATAL_FAILURE(ChangeSomePlaces("file", content, random, 10));
    auto const sent = server_->SentBytes();
    (void)WaitFor([&] { return server_->SentBytes() != sent; }, std::chrono::milliseconds(20));
  }
  EXPECT_EQ(PublishedSince(), 0);
  EXPECT_EQ(::close(fd), 0);
  ASSERT_EQ(mount_->WaitUploaded(), 0);
  EXPECT_EQ(PublishedSince(), 1);
  auto const upload = server_->Find("file");
  ASSERT_TRUE(upload);
  EXPECT_EQ(Sha256OfFile(server_->File(*upload)), Sha256(content));
  AddRow("2,000 changes at random places, held open", "uploaded", kSize);
}

}  // namespace
}  // namespace tusfs_testing
