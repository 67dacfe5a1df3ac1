#include "tusclient/transport.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace tus {
namespace {

TEST(HttpResponse, FindIgnoresCaseAndTakesTheLastHeader) {
  HttpResponse const response{200, {{"Upload-Offset", "1"}, {"upload-offset", "2"}}, ""};
  EXPECT_EQ(response.Find("UPLOAD-OFFSET"), "2");
  EXPECT_EQ(response.Find("Upload"), std::nullopt);
}

TEST(MemorySource, ReadsAnywhereAndEndsWithZero) {
  std::string const text = "0123456789";
  MemorySource source(std::as_bytes(std::span(text)));
  std::array<std::byte, 4> out{};

  EXPECT_EQ(source.ReadAt(3, out), 4U);
  EXPECT_EQ(out[0], std::byte{'3'});
  EXPECT_EQ(source.ReadAt(8, out), 2U);
  EXPECT_EQ(source.ReadAt(10, out), 0U);
  EXPECT_EQ(source.ReadAt(UINT64_MAX, out), 0U);
}

TEST(ErrorCode, EveryCodeHasAName) {
  EXPECT_EQ(Name(ErrorCode::kCancelled), "cancelled");
  EXPECT_EQ(Name(ErrorCode::kChecksumMismatch), "checksum-mismatch");
  EXPECT_EQ(Name(ErrorCode::kProtocol), "protocol");
}

}  // namespace
}  // namespace tus
