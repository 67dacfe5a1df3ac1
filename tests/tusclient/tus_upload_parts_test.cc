// What tus-upload is made of, where the whole program shows too little of it.
#include "tus_upload_finished.h"
#include "tus_upload_meter.h"
#include "tus_upload_order.h"
#include "tus_upload_rig.h"
#include "tus_upload_text.h"

namespace tus_upload {
namespace {

using testing::HasSubstr;
using testing::internal::CaptureStdout;
using testing::internal::GetCapturedStdout;
using tusfs_testing::ReadFile;
using tusfs_testing::TempDir;
using tusfs_testing::WriteFile;

class FinishedUploadsTest : public testing::Test {
 protected:
  TempDir const temp_;
  std::vector<std::string> const command_{"a", "b"};

  [[nodiscard]] std::filesystem::path Record() const {
    return std::filesystem::directory_iterator(temp_.path())->path();
  }
  void ExpectUrl(std::string const& key, std::string const& url) const {
    auto const found = FinishedUploads(temp_.path(), command_).Find(key);
    EXPECT_EQ(found ? found->url : "(none)", url);
  }
};

TEST_F(FinishedUploadsTest, AreThereForTheNextRunOfTheCommand) {
  FinishedUploads finished(temp_.path(), command_);
  EXPECT_FALSE(finished.Find("one"));
  ASSERT_TRUE(finished.Add("one", {.size = 7, .url = "http://host/1"}));
  EXPECT_EQ(finished.Find("one")->size, 7U);
  ExpectUrl("one", "http://host/1");
  EXPECT_FALSE(FinishedUploads(temp_.path(), {"a"}).Find("one")) << "that is another command";
  finished.Forget();
  ExpectUrl("one", "(none)");
  EXPECT_TRUE(std::filesystem::is_empty(temp_.path()));
}

TEST_F(FinishedUploadsTest, AreSeenByTheSameCommandBesideIt) {
  FinishedUploads one(temp_.path(), command_);
  FinishedUploads other(temp_.path(), command_);
  ASSERT_TRUE(one.Add("one", {.size = 1, .url = "http://host/1"}));
  EXPECT_TRUE(other.Find("one"));
  ASSERT_TRUE(other.Add("two", {.size = 2, .url = "http://host/2"}));
  EXPECT_EQ(one.Find("two")->url, "http://host/2");
}

TEST_F(FinishedUploadsTest, AreNotBelievedWhereTheirLineWasCut) {
  std::string whole;
  {
    FinishedUploads finished(temp_.path(), command_);
    ASSERT_TRUE(finished.Add("one", {.size = 7, .url = "http://host/1"}));
    ASSERT_TRUE(finished.Add("two", {.size = 7, .url = "http://host/2"}));
    whole = ReadFile(Record());
  }
  auto const first = whole.find('\n') + 1;
  for (auto length = first; length < whole.size(); ++length) {
    WriteFile(Record(), whole.substr(0, length));
    ExpectUrl("one", "http://host/1");
    ExpectUrl("two", "(none)");
    ASSERT_TRUE(FinishedUploads(temp_.path(), command_).Add("three", {.size = 1, .url = "u"}));
    ExpectUrl("two", length + 1 < whole.size() ? "(none)" : "http://host/2");
    ExpectUrl("three", "u");
  }
}

TEST_F(FinishedUploadsTest, SayWhenTheyCannotBeRemembered) {
  FinishedUploads finished(temp_ / "missing", command_);
  auto const added = finished.Add("one", {.size = 7, .url = "http://host/1"});
  ASSERT_FALSE(added);
  EXPECT_THAT(added.error().message, HasSubstr("No such file or directory"));
}

TEST(UrlsInOrderTest, AreHeldBackUntilThoseBeforeAreKnown) {
  UrlsInOrder urls(5, true);
  CaptureStdout();
  urls.Known(4, "four");
  urls.SameAs(1, 2);
  urls.Known(0, "zero");
  std::fflush(stdout);
  EXPECT_EQ(GetCapturedStdout(), "zero\n");
  CaptureStdout();
  urls.Known(2, "two");
  urls.Known(3, "");
  std::fflush(stdout);
  EXPECT_EQ(GetCapturedStdout(), "two\ntwo\nfour\n");
}

TEST(MeterTest, KnowsTheRateOfWhatWentOverTheNetwork) {
  using namespace std::chrono_literals;
  Meter meter;
  Meter::Clock::time_point const start{};
  meter.Begin(start, 40 << 20);
  meter.Jump(0, 10 << 20);
  meter.Move(10 << 20, 20 << 20);
  meter.Measure(start + 2s);
  EXPECT_EQ(meter.Words(), "50%, 20.0 MiB of 40.0 MiB at 5.0 MiB/s");
  EXPECT_EQ(meter.Line("name", 79),
            "name  [##########..........]  50%  20.0 MiB of 40.0 MiB  5.0 MiB/s  0:04");
  meter.Resize(40 << 20, 20 << 20);
  EXPECT_EQ(meter.Line("a long name", 47), "…ng name  100%  20.0 MiB of 20.0 MiB  5.0 MiB/s");
}

TEST(PercentEncodedTest, LosesNothing) {
  EXPECT_EQ(PercentEncoded("a-Z/_.~9%\n\xFF"), "a-Z/_.~9%25%0A%FF");
}

}  // namespace
}  // namespace tus_upload
