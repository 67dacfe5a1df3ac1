// Metadata templates and presets.
#include "tusclient/preset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tus {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

FileFacts Take42() {
  return {.path = "day 1/take-42.mov",
          .type = "video/quicktime",
          .modified = 1'700'000'000,
          .size = 12,
          .id = "u-1"};
}

TEST(Templates, SpeakOfTheFile) {
  std::vector<MetadataTemplate> const templates{{"a", "{path}|{name}"},
                                                {"b", "{type} {mtime} {size}"},
                                                {"c", "{{{id}}}"},
                                                {"d", "plain"},
                                                {"e", ""}};
  ASSERT_TRUE(CheckTemplates(templates));
  EXPECT_THAT(Expand(templates, Take42()), ElementsAre(Pair("a", "day 1/take-42.mov|take-42.mov"),
                                                       Pair("b", "video/quicktime 1700000000 12"),
                                                       Pair("c", "{u-1}"), Pair("d", "plain")));
}

TEST(Templates, SpeakOfTheMachine) {
  std::vector<MetadataTemplate> const templates{{"rig", "{host}/{machine-id}"}, {"h", "{{host}}"}};
  ASSERT_TRUE(CheckTemplates(templates));
  EXPECT_TRUE(NeedMachineId(templates));
  EXPECT_FALSE(NeedMachineId(std::span(templates).last(1)));
  auto facts = Take42();
  facts.host = "rig-7";
  facts.machine_id = "0123";
  EXPECT_THAT(Expand(templates, facts),
              ElementsAre(Pair("rig", "rig-7/0123"), Pair("h", "{host}")));
}

TEST(Templates, LeaveOutWhatIsNotKnownYet) {
  auto facts = Take42();
  facts.size.reset();
  facts.path = "no-folder";
  std::vector<MetadataTemplate> const templates{{"size", "{size}"}, {"name", "{name}"}};
  EXPECT_THAT(Expand(templates, facts), ElementsAre(Pair("name", "no-folder")));
}

TEST(Templates, WithADigestAreLeftOutWhileItIsNotKnown) {
  std::vector<MetadataTemplate> const templates{{"checksum", "sha1 {sha1}"}, {"name", "{{sha1}}"}};
  EXPECT_TRUE(NeedSha1(templates));
  EXPECT_FALSE(NeedSha1(std::span(templates).last(1))) << "that is a brace";
  auto facts = Take42();
  EXPECT_THAT(Expand(templates, facts), ElementsAre(Pair("name", "{sha1}")));
  facts.sha1 = "da39";
  EXPECT_THAT(Expand(templates, facts),
              ElementsAre(Pair("checksum", "sha1 da39"), Pair("name", "{sha1}")));
}

TEST(Templates, AreCheckedBeforeTheyAreUsed) {
  for (auto const& bad : std::vector<MetadataTemplate>{{"k", "{nme}"},
                                                       {"k", "{"},
                                                       {"k", "}"},
                                                       {"k", "{name"},
                                                       {"k", "{}"},
                                                       {"", "x"},
                                                       {"a b", "x"},
                                                       {"a,b", "x"}}) {
    auto const checked = CheckTemplates(std::vector<MetadataTemplate>{bad});
    ASSERT_FALSE(checked) << bad.key << bad.value;
    EXPECT_EQ(checked.error().code, ErrorCode::kInvalidArgument);
  }
  EXPECT_FALSE(CheckTemplates(std::vector<MetadataTemplate>{{"a", "1"}, {"a", "2"}}));
}

TEST(Presets, HoldTogether) {
  for (auto const& preset : Presets()) {
    EXPECT_TRUE(preset.chunks.Check()) << preset.name;
    EXPECT_TRUE(CheckTemplates(preset.metadata)) << preset.name;
    EXPECT_EQ(FindPreset(preset.name)->name, preset.name);
  }
  EXPECT_THAT(FindPreset("dropbox").error().message, HasSubstr("cloudflare-stream, supabase"));
}

}  // namespace
}  // namespace tus
