// Histories: each generation knows those before it, and none of these may have changed.
#include "mhl/history.h"

#include <gmock/gmock.h>

#include "base/fakes.h"
#include "testing/files.h"

namespace tusfs {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class HistoryTest : public testing::Test {
 protected:
  std::vector<std::string> Add(std::string const& value) {
    Manifest manifest{.created = 1'700'000'000'000'000'000, .host = "rig", .tool = "t"};
    manifest.files = {{.path = "a", .size = 1, .hashes = {{HashFormat::kXxh64, value}}}};
    auto const history = ReadHistory(dir_.path());
    EXPECT_TRUE(Ok(history));
    auto failed = MarkActions(*history, manifest);
    action_ = manifest.files[0].hashes[0].action;
    auto const path = AddGeneration(dir_.path(), "card", *history, manifest);
    EXPECT_TRUE(Ok(path));
    path_ = path.value_or("");
    return failed;
  }

  tusfs_testing::TempDir const dir_;
  HashAction action_ = HashAction::kFailed;
  std::filesystem::path path_;
};

TEST_F(HistoryTest, TheFirstIsOriginalTheSameIsVerifiedAndAnotherHasFailed) {
  EXPECT_THAT(Add("11"), IsEmpty());
  EXPECT_EQ(action_, HashAction::kOriginal);
  EXPECT_EQ(path_.filename(), "0001_card_2023-11-14_221320Z.mhl");
  EXPECT_THAT(Add("11"), IsEmpty());
  EXPECT_EQ(action_, HashAction::kVerified);
  EXPECT_THAT(Add("22"), ElementsAre("a"));
  EXPECT_EQ(action_, HashAction::kFailed);
  EXPECT_THAT(Add("11"), IsEmpty()) << "what has failed is nothing to go by";
  EXPECT_THAT(ReadHistory(dir_.path())->links, SizeIs(4));
}

TEST_F(HistoryTest, AGenerationThatWasChangedIsRefused) {
  Add("11");
  tusfs_testing::WriteFile(path_, tusfs_testing::ReadFile(path_) + "\n");
  auto const history = ReadHistory(dir_.path());
  EXPECT_EQ(CodeOf(history), EINVAL);
  EXPECT_THAT(history.error().context, HasSubstr("not what the chain"));
}

TEST_F(HistoryTest, AChainThatNamesAFileElsewhereIsRefused) {
  Add("11");
  auto const chain = dir_ / "ascmhl/ascmhl_chain.xml";
  auto text = tusfs_testing::ReadFile(chain);
  text.replace(text.find("0001_card"), 4, "../1");
  tusfs_testing::WriteFile(chain, text);
  EXPECT_THAT(ReadHistory(dir_.path()).error().context, HasSubstr("is no name of a manifest"));
}

}  // namespace
}  // namespace tusfs
