#include "tusclient/metadata.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tus {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

TEST(EncodeMetadata, JoinsPairsWithoutSpaceAndPadsBase64) {
  EXPECT_EQ(EncodeMetadata({{"filename", "world_domination_plan.pdf"}, {"a", "1"}, {"b", "12"}}),
            "filename d29ybGRfZG9taW5hdGlvbl9wbGFuLnBkZg==,a MQ==,b MTI=");
}

TEST(EncodeMetadata, SendsAKeyAloneForAnEmptyValue) {
  EXPECT_EQ(EncodeMetadata({{"is_confidential", ""}, {"a", "123"}}), "is_confidential,a MTIz");
}

TEST(EncodeMetadata, IsEmptyForNoPairs) { EXPECT_EQ(EncodeMetadata({}), ""); }

TEST(EncodeMetadata, RefusesKeysThatServersCannotRead) {
  for (auto const* const key : {"", "a b", "a,b", "tab\t", "caf\xc3\xa9", "line\n", "\x7f"}) {
    auto const header = EncodeMetadata({{key, "value"}});
    ASSERT_FALSE(header) << key;
    EXPECT_EQ(header.error().code, ErrorCode::kInvalidArgument) << key;
    EXPECT_FALSE(header.error().message.empty());
  }
}

TEST(EncodeMetadata, RefusesARepeatedKey) {
  auto const header = EncodeMetadata({{"a", "1"}, {"b", ""}, {"a", "2"}});
  ASSERT_FALSE(header);
  EXPECT_EQ(header.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(header.error().message, HasSubstr("\"a\""));
}

TEST(DecodeMetadata, ReadsBackWhateverWasEncoded) {
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte) every_byte += static_cast<char>(byte);
  Metadata const metadata{
      {"bytes", every_byte}, {"empty", ""}, {"one", "\xff"}, {"two", "\xff\xfe"}, {"utf8", "ü"}};

  auto const header = EncodeMetadata(metadata);
  ASSERT_TRUE(header);
  EXPECT_EQ(DecodeMetadata(*header), metadata);
}

TEST(DecodeMetadata, ToleratesSpacesAfterCommasAndKeysAlone) {
  auto const metadata = DecodeMetadata(" a MQ==, b,  c , d MTI= ");
  ASSERT_TRUE(metadata);
  EXPECT_THAT(*metadata,
              ElementsAre(Pair("a", "1"), Pair("b", ""), Pair("c", ""), Pair("d", "12")));
}

TEST(DecodeMetadata, OfNothingIsNothing) {
  auto const metadata = DecodeMetadata("");
  ASSERT_TRUE(metadata);
  EXPECT_THAT(*metadata, IsEmpty());
}

TEST(DecodeMetadata, RefusesEverythingElse) {
  for (auto const* const header : {"a MQ", "a MQ=", "a M===", "a ====", "a M_==", "a MQ==MQ==",
                                   "a MQ== x", "a,,b", ",", "a MQ==,a MQ==", "a M Q==", "a =MQ="}) {
    auto const metadata = DecodeMetadata(header);
    ASSERT_FALSE(metadata) << header;
    EXPECT_EQ(metadata.error().code, ErrorCode::kProtocol) << header;
  }
}

}  // namespace
}  // namespace tus
