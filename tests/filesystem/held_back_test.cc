// HeldBack: what a file waits for is said once.
#include "filesystem/held_back.h"

#include <gmock/gmock.h>

#include <memory>
#include <vector>

#include "base/message_ids.h"

namespace tusfs {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class HeldBackTest : public testing::Test {
 protected:
  std::vector<std::string> lines_;
  std::vector<std::string> ids_;
  HeldBack held_{std::make_shared<Log>(
      Log::FieldSink{[this](LogLevel, std::string_view text, LogSubject const& subject) {
        lines_.emplace_back(text);
        ids_.emplace_back(subject.message_id);
      }})};
};

TEST_F(HeldBackTest, SaysOnceWhatAFileWaitsForAndTheWayOut) {
  held_.Note(7, Hold::kManual, "take\n1");
  held_.Note(7, Hold::kManual, "take\n1");
  EXPECT_THAT(lines_,
              ElementsAre(AllOf(HasSubstr("tusfsctl publish"), HasSubstr("path=\"take\\x0a1\""))));
  EXPECT_THAT(ids_, ElementsAre(std::string(message_id::kHeldBack)));
}

TEST_F(HeldBackTest, SaysItAgainWhenItIsAnotherThingOrAnotherTime) {
  held_.Note(7, Hold::kCompanion, "a");
  held_.Note(7, Hold::kRename, "a");
  EXPECT_THAT(lines_, ElementsAre(HasSubstr("beside it"), HasSubstr("renamed")));
  held_.Note(7, Hold::kNone, "a");
  held_.Note(7, Hold::kRename, "a");
  EXPECT_EQ(lines_.size(), 3U);
}

TEST_F(HeldBackTest, IsSilentWhereNothingHoldsItOrTheCommandSpeaks) {
  held_.Note(1, Hold::kNone, "a");
  held_.Note(2, Hold::kIgnored, "b");
  held_.Note(3, Hold::kCommand, "c");
  EXPECT_THAT(lines_, IsEmpty());
}

}  // namespace
}  // namespace tusfs
