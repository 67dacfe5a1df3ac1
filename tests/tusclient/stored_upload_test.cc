#include "stored_upload.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>

namespace tus {
namespace {

StoredUpload Full() {
  return {.url = "https://h/files/1\n\\n",
          .length = 5,
          .end = UploadFacts::End::kSent,
          .expires = std::chrono::system_clock::from_time_t(1'700'000'000),
          .checked_length = 3,
          .checked_sha256 = std::string("\0\xff\n", 3) + std::string(29, '\\')};
}

std::string RecordOf(std::string const& lines) {
  return "tusclient upload 1\nfingerprint f\nurl http://h/1\n" + lines + "end\n";
}

TEST(StoredUploadRecord, BringsBackWhatWasWritten) {
  std::string const fingerprint = "line\nbreak \\ back\\nslash";
  auto const read = DecodeRecord(EncodeRecord(fingerprint, Full()), fingerprint);
  ASSERT_TRUE(read);
  EXPECT_EQ(read->url, Full().url);
  EXPECT_EQ(read->length, Full().length);
  EXPECT_EQ(read->end, UploadFacts::End::kSent);
  EXPECT_EQ(read->expires, Full().expires);
  EXPECT_EQ(read->checked_length, Full().checked_length);
  EXPECT_EQ(read->checked_sha256, Full().checked_sha256);
}

TEST(StoredUploadRecord, LeavesOutWhatIsNotKnown) {
  auto const text = EncodeRecord("f", {.url = "http://h/1"});
  EXPECT_EQ(text, RecordOf(""));
  auto const read = DecodeRecord(text, "f");
  ASSERT_TRUE(read);
  EXPECT_FALSE(read->length);
  EXPECT_EQ(read->end, UploadFacts::End::kNotSent);
  EXPECT_FALSE(read->expires);
  EXPECT_EQ(read->checked_sha256, "");
}

TEST(StoredUploadRecord, ThatWasCutIsNone) {
  auto const text = EncodeRecord("f", Full());
  for (std::size_t size = 0; size < text.size(); ++size) {
    EXPECT_FALSE(DecodeRecord(std::string_view(text).substr(0, size), "f")) << size;
  }
}

TEST(StoredUploadRecord, OfAnotherUploadOrVersionIsNone) {
  EXPECT_TRUE(DecodeRecord(RecordOf(""), "f"));
  EXPECT_FALSE(DecodeRecord(RecordOf(""), "g"));
  EXPECT_FALSE(DecodeRecord("tusclient upload 2\nfingerprint f\nurl http://h/1\nend\n", "f"));
  EXPECT_FALSE(DecodeRecord("tusclient upload 1\nfingerprint f\nend\n", "f"));
}

TEST(StoredUploadRecord, WithAValueThatCannotBeRightIsNone) {
  auto const digest = "checked_sha256 " + std::string(64, '0') + "\n";
  EXPECT_TRUE(DecodeRecord(RecordOf("checked_length 1\n" + digest), "f"));
  for (std::string const& lines :
       {std::string("length 12x\n"), std::string("length 9223372036854775808\n"),
        std::string("expires soon\n"), "checked_length -1\n" + digest,
        std::string("checked_length 1\n"), std::string("checked_length 1\nchecked_sha256 0a\n"),
        "checked_length 1\nchecked_sha256 " + std::string(64, 'g') + "\n"}) {
    EXPECT_FALSE(DecodeRecord(RecordOf(lines), "f")) << lines;
  }
}

TEST(StoredUploadRecord, MayExpireLaterThanTheClockCanCount) {
  auto const read = DecodeRecord(RecordOf("expires 9223372036854775807\n"), "f");
  ASSERT_TRUE(read);
  EXPECT_GT(*read->expires, std::chrono::system_clock::now());
  EXPECT_EQ(DecodeRecord(EncodeRecord("f", *read), "f")->expires, read->expires);
}

TEST(StoredUploadRecord, MayHaveLinesOfALaterVersion) {
  EXPECT_TRUE(DecodeRecord(RecordOf("colour blue\nword\n\n"), "f"));
}

}  // namespace
}  // namespace tus
