// What the journal is told of a line.
#include "program/journal_log.h"

#include <gmock/gmock.h>

namespace tusfs {
namespace {

using testing::Contains;
using testing::ElementsAre;

TEST(JournalFields, AreThoseThatSaySomething) {
  EXPECT_THAT(JournalFields(LogLevel::kWarn, "text", {}, ""),
              ElementsAre("MESSAGE=text", "PRIORITY=4", "SYSLOG_IDENTIFIER=tusfs"));
  EXPECT_THAT(
      JournalFields(LogLevel::kError, "text", {.file = "a/b", .upload = "uuid", .message_id = "id"},
                    "/mnt"),
      ElementsAre("MESSAGE=text", "PRIORITY=3", "SYSLOG_IDENTIFIER=tusfs", "TUSFS_MOUNT=/mnt",
                  "TUSFS_FILE=a/b", "TUSFS_UPLOAD=uuid", "MESSAGE_ID=id"));
}

TEST(JournalFields, TakeAFileNameAsItIs) {
  std::string const name = "line\nPRIORITY=0\n\xff";
  EXPECT_THAT(JournalFields(LogLevel::kInfo, "text", {.file = name}, ""),
              Contains("TUSFS_FILE=" + name));
}

}  // namespace
}  // namespace tusfs
