// Watchers: whoever waits is told when something has changed, when it is over, and not else.
#include "control/watchers.h"

#include <gmock/gmock.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "filesystem/rig.h"

namespace tusfs {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr std::chrono::seconds kPatience{20};

class WatchersTest : public FilesystemRig {
 protected:
  // Who waits.
  class Reader {
   public:
    explicit Reader(UniqueFd fd) : fd_(std::move(fd)) {}

    /// The next line; discarded where none comes in time, null at the end.
    json Next(std::chrono::milliseconds patience = kPatience) {
      auto const deadline = std::chrono::steady_clock::now() + patience;
      while (text_.find('\n') == std::string::npos) {
        auto const left = std::chrono::ceil<std::chrono::milliseconds>(
            deadline - std::chrono::steady_clock::now());
        pollfd waiting{fd_.get(), POLLIN, 0};
        if (left.count() <= 0 || ::poll(&waiting, 1, static_cast<int>(left.count())) <= 0) {
          return json::parse("", nullptr, false);
        }
        char piece[1024];
        auto const n = ::read(fd_.get(), piece, sizeof piece);
        if (n <= 0) return {};
        text_.append(piece, static_cast<std::size_t>(n));
      }
      auto const end = text_.find('\n');
      auto const line = text_.substr(0, end);
      text_.erase(0, end + 1);
      return json::parse(line);
    }

    /// Reads until a line says so many files, or none comes.
    json NextWithGoing(std::uint64_t going) {
      while (true) {
        auto line = Next();
        if (!line.is_object() || line.value("going", going) == going) return line;
      }
    }

    void Leave() { fd_ = {}; }

   private:
    UniqueFd fd_;
    std::string text_;
  };

  Reader Watch(std::string const& path, bool live = false) {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    UniqueFd theirs(ends[1]);
    EXPECT_TRUE(watchers_->Add(path, theirs, live));
    return Reader(UniqueFd(ends[0]));
  }

  void Become(InodeId inode, Content content) {
    ChangeRow(inode, [&](Inode& row) { row.content = content; });
  }

  Reporter reporter_{*store_, *spool_, *uploader_, *finishing_};
  UniqueFd const server_news_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::unique_ptr<Watchers> watchers_ =
      Watchers::Start(*store_, reporter_, *uploader_, UniqueFd(::dup(server_news_.get()))).value();
};

TEST_F(WatchersTest, WhereNothingIsGoingOnItIsOverAtOnce) {
  Become(MakeFile("cut", "123"), Content::kInterrupted);
  auto reader = Watch("");
  EXPECT_EQ(reader.Next(), (json{{"over", true}}));
  EXPECT_TRUE(reader.Next().is_null());
}

TEST_F(WatchersTest, TellsWhatHasChangedAndWhenItIsOver) {
  auto const a = MakeFile("a", "12345");
  auto const b = MakeFile("b", "123");
  auto reader = Watch("");
  EXPECT_EQ(reader.Next(), (json{{"going", 2},
                                 {"left", 8},
                                 {"size", 8},
                                 {"stuck", 0},
                                 {"sent", 0},
                                 {"reachable", false},
                                 {"paused", false}}));
  Become(a, Content::kUploaded);
  EXPECT_EQ(reader.NextWithGoing(1)["left"], 3);
  Become(b, Content::kUploaded);
  EXPECT_EQ(reader.Next(), (json{{"over", true}}));
}

TEST_F(WatchersTest, WhatLiesBeneathTheMountIsOfTheWholeOfIt) {
  Become(MakeFile("a", "12345"), Content::kUploaded);
  reporter_.NoteBeneath({.waiting = 1, .failed = 1, .left = 1});
  EXPECT_EQ(Watch("a").Next(), (json{{"over", true}}));
  auto reader = Watch("");
  auto const told = reader.Next();
  EXPECT_EQ(told["going"], 2);
  EXPECT_EQ(told["stuck"], 1);
  reporter_.NoteBeneath({.left = 1});
  ::eventfd_write(server_news_.get(), 1);
  json const left{{"waiting", 0}, {"failed", 0}, {"left", 1}};
  EXPECT_EQ(reader.Next(), (json{{"over", true}, {"beneath", left}}));
}

TEST_F(WatchersTest, WhatTheServerHasConfirmedIsNews) {
  auto const inode = MakeFile("a", "1234567890");
  Become(inode, Content::kFinished);
  auto const upload = GiveUpload(inode, 2);
  auto reader = Watch("a");
  EXPECT_EQ(reader.Next()["left"], 8);
  ASSERT_TRUE(Ok(store_->Update([&](Transaction& transaction) -> Result<void> {
    auto row = FindUpload(transaction, upload).value();
    row->offset = 7;
    PutUpload(transaction, *row);
    return {};
  })));
  EXPECT_EQ(reader.Next()["left"], 3);
}

TEST_F(WatchersTest, SaysNothingWhileNothingChanges) {
  MakeFile("a", "12345");
  auto reader = Watch("");
  EXPECT_EQ(reader.Next()["going"], 1);
  EXPECT_TRUE(reader.Next(std::chrono::milliseconds(2500)).is_discarded());
}

TEST_F(WatchersTest, ManyChangesAreToldTogether) {
  MakeFile("first", "1");
  auto reader = Watch("");
  EXPECT_EQ(reader.Next()["going"], 1);
  auto const start = std::chrono::steady_clock::now();
  for (int i = 0; i < 200; ++i) MakeFile("f" + std::to_string(i), "1");
  int lines = 0;
  for (auto line = json::object(); line.value("going", 0) != 201; ++lines) {
    line = reader.Next();
    ASSERT_TRUE(line.is_object());
  }
  auto const took = std::chrono::steady_clock::now() - start;
  EXPECT_LE(lines, took / std::chrono::milliseconds(250) + 1);
}

TEST_F(WatchersTest, EachIsToldOfItsOwnPath) {
  auto const d = MakeDir("d");
  auto const in = MakeFile("in", "12", d);
  MakeFile("out", "1234");
  auto all = Watch("");
  auto some = Watch("d");
  auto one = Watch("d/in");
  EXPECT_EQ(all.Next()["left"], 6);
  EXPECT_EQ(some.Next()["left"], 2);
  EXPECT_EQ(one.Next()["left"], 2);
  Become(in, Content::kUploaded);
  EXPECT_EQ(some.Next(), (json{{"over", true}}));
  EXPECT_EQ(one.Next(), (json{{"over", true}}));
  EXPECT_EQ(all.NextWithGoing(1)["left"], 4);
}

TEST_F(WatchersTest, APathThatIsNotThereOrGoesIsAnErrorWithItsName) {
  EXPECT_THAT(Watch("no/such").Next()["error"].get<std::string>(), HasSubstr("no/such"));
  MakeFile("a", "12345");
  auto reader = Watch("a");
  EXPECT_EQ(reader.Next()["going"], 1);
  ASSERT_TRUE(Ok(fs_->Unlink(me_, kRootInode, "a")));
  EXPECT_THAT(reader.Next()["error"].get<std::string>(), HasSubstr("'a'"));
}

TEST_F(WatchersTest, ForWhoLooksOnNothingIsOver) {
  auto reader = Watch("", true);
  auto const line = reader.Next();
  EXPECT_EQ(line["going"], 0);
  EXPECT_EQ(line["stuck_files"], json::array());
  EXPECT_EQ(line["sending"], json::array());
  EXPECT_TRUE(line["server"].contains("since"));
  auto const inode = MakeFile("a", "12345");
  EXPECT_EQ(reader.NextWithGoing(1)["left"], 5);
  Become(inode, Content::kUploaded);
  EXPECT_EQ(reader.NextWithGoing(0)["left"], 0);
  EXPECT_TRUE(reader.Next(std::chrono::milliseconds(1500)).is_discarded()) << "and it goes on";
}

TEST_F(WatchersTest, WhoLooksOnIsToldWhichFilesNeedSomebody) {
  auto reader = Watch("", true);
  EXPECT_EQ(reader.Next()["stuck"], 0);
  auto const inode = MakeFile("cut", "123");
  Become(inode, Content::kInterrupted);
  auto line = reader.Next();
  while (line.is_object() && line["stuck"] == 0) line = reader.Next();
  ASSERT_TRUE(line.is_object());
  ASSERT_EQ(line["stuck_files"].size(), 1U);
  EXPECT_EQ(line["stuck_files"][0]["path"], "cut");
  EXPECT_EQ(line["stuck_files"][0]["state"], "interrupted");
  ASSERT_TRUE(Ok(fs_->Unlink(me_, kRootInode, "cut")));
  while (line.is_object() && line["stuck"] == 1) line = reader.Next();
  EXPECT_EQ(line["stuck_files"], json::array());
}

TEST_F(WatchersTest, OfManyFilesThatNeedSomebodyTheFirstAreNamed) {
  for (int i = 0; i < 30; ++i)
    Become(MakeFile("f" + std::to_string(i), "1"), Content::kInterrupted);
  auto reader = Watch("", true);
  auto const line = reader.Next();
  EXPECT_EQ(line["stuck"], 30);
  ASSERT_EQ(line["stuck_files"].size(), 20U);
  EXPECT_EQ(line["stuck_files"][0]["path"], "f0");
}

TEST_F(WatchersTest, OneWhoLeavesOrNeverReadsHoldsUpNobody) {
  auto const inode = MakeFile("a", "1");
  auto deaf = Watch("");
  auto gone = Watch("");
  gone.Leave();
  auto reader = Watch("");
  EXPECT_EQ(reader.Next()["going"], 1);
  Become(inode, Content::kUploaded);
  EXPECT_EQ(reader.Next(), (json{{"over", true}}));
}

TEST_F(WatchersTest, SoManyAndNoMoreMayWait) {
  MakeFile("a", "1");
  std::vector<Reader> readers;
  for (int i = 0; i < 64; ++i) readers.push_back(Watch(""));
  int ends[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
  UniqueFd const ours(ends[0]);
  UniqueFd theirs(ends[1]);
  EXPECT_FALSE(watchers_->Add("", theirs));
  EXPECT_TRUE(theirs) << "it is still the caller's";
  readers[0].Leave();
  EXPECT_TRUE(tusfs_testing::WaitFor([&] { return watchers_->Add("", theirs); }));
}

TEST_F(WatchersTest, TheirEndHangsUp) {
  MakeFile("a", "1");
  auto reader = Watch("");
  EXPECT_EQ(reader.Next()["going"], 1);
  watchers_.reset();
  EXPECT_TRUE(reader.Next().is_null());
}

}  // namespace
}  // namespace tusfs
