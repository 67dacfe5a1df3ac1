// Events as they are written down and told.
#include "hooks/event.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace tusfs {
namespace {

using testing::Contains;
using testing::Not;

Event Stuck() {
  return {.id = Uuid::Random(),
          .kind = EventKind::kFailed,
          .time = 1'700'000'000'000'000'000,
          .path = "a/\"<b>\n\xff",
          .size = 7,
          .modified = 1'600'000'000'000'000'000,
          .upload = Uuid::Random(),
          .url = "http://host/files/1",
          .reason = "409"};
}

TEST(EventTest, IsReadAsItWasWritten) {
  auto const event = Stuck();
  auto const read = DecodeEvent(Encode(event));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->id, event.id);
  EXPECT_EQ(read->kind, event.kind);
  EXPECT_EQ(read->time, event.time);
  EXPECT_EQ(read->path, event.path);
  EXPECT_EQ(read->size, event.size);
  EXPECT_EQ(read->modified, event.modified);
  EXPECT_EQ(read->upload, event.upload);
  EXPECT_EQ(read->url, event.url);
  EXPECT_EQ(read->reason, event.reason);
}

TEST(EventTest, BytesThatAreNoneAreToldApart) {
  auto bytes = Encode(Stuck());
  EXPECT_FALSE(DecodeEvent(bytes.substr(0, bytes.size() - 1)));
  EXPECT_FALSE(DecodeEvent(bytes + "x"));
  bytes[0] = 2;
  EXPECT_FALSE(DecodeEvent(bytes)) << "of a newer version";
  bytes = Encode(Stuck());
  bytes[17] = 99;
  EXPECT_FALSE(DecodeEvent(bytes)) << "of an unknown kind";
  EXPECT_FALSE(DecodeEvent(""));
}

TEST(EventTest, JsonIsOneLineWhateverTheNameIs) {
  auto const event = Stuck();
  auto const text = JsonOf(event, "/mnt", 3);
  EXPECT_EQ(text.find('\n'), text.size() - 1);
  auto const object = nlohmann::json::parse(text);
  EXPECT_EQ(object["id"], event.id.ToString());
  EXPECT_EQ(object["event"], "failed");
  EXPECT_EQ(object["time"], "2023-11-14T22:13:20Z");
  EXPECT_EQ(object["attempt"], 3);
  EXPECT_EQ(object["path"], "a/\"<b>\n\xef\xbf\xbd");
  EXPECT_EQ(object["file"], "/mnt/a/\"<b>\n\xef\xbf\xbd");
  EXPECT_EQ(object["size"], 7);
  EXPECT_EQ(object["upload"], event.upload.ToString());
  EXPECT_EQ(object["reason"], "409");
}

TEST(EventTest, TheEnvironmentHasTheNameItself) {
  auto const event = Stuck();
  auto const variables = VariablesOf(event, "/mnt", 1);
  EXPECT_THAT(variables, Contains("TUSFS_EVENT=failed"));
  EXPECT_THAT(variables, Contains("TUSFS_EVENT_ID=" + event.id.ToString()));
  EXPECT_THAT(variables, Contains("TUSFS_FILE=/mnt/" + event.path));
  EXPECT_THAT(variables, Contains("TUSFS_SIZE=7"));
}

TEST(EventTest, AServerHasNoFile) {
  Event const event{.id = Uuid::Random(), .kind = EventKind::kServerAway, .reason = "refused"};
  EXPECT_FALSE(nlohmann::json::parse(JsonOf(event, "/mnt", 1)).contains("path"));
  EXPECT_THAT(VariablesOf(event, "/mnt", 1), Not(Contains(testing::StartsWith("TUSFS_FILE"))));
}

}  // namespace
}  // namespace tusfs
