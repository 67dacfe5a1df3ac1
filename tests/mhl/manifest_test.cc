// Manifests: what is written is read again, those of others are read, and those of attackers
// refused.
#include "mhl/manifest.h"

#include <gmock/gmock.h>

#include "base/fakes.h"
#include "mhl/xml.h"

namespace tusfs {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

std::string WhyNot(std::string const& text) {
  auto const manifest = ParseManifest(text);
  return manifest ? "it is one" : manifest.error().context;
}

std::string WithPath(std::string const& path) {
  return "<hashlist version=\"2.0\"><hash><path size=\"1\">" + path +
         "</path><xxh64>0</xxh64></hash></hashlist>";
}

TEST(ManifestTest, WhatIsWrittenIsReadAgain) {
  Manifest manifest{.created = 1'700'000'000'000'000'000,
                    .host = "rig & co",
                    .tool = "tusfsctl",
                    .tool_version = "1"};
  manifest.files = {{.path = "Clips/a <b> \"c\" & d.mov",
                     .size = std::uint64_t{1} << 40,
                     .modified = 1'600'000'000'000'000'000,
                     .hashes = {{HashFormat::kXxh64, "0123456789abcdef", HashAction::kOriginal},
                                {HashFormat::kC4, "c4XyZ", HashAction::kFailed}}},
                    {.path = "Caf\xc3\xa9",
                     .size = 0,
                     .hashes = {{HashFormat::kMd5, "aa", HashAction::kVerified}}}};
  auto const text = WriteManifest(manifest);
  auto const read = ParseManifest(text);
  ASSERT_TRUE(Ok(read));
  EXPECT_EQ(read->host, manifest.host);
  ASSERT_THAT(read->files, SizeIs(2));
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(read->files[i].path, manifest.files[i].path);
    EXPECT_EQ(read->files[i].size, manifest.files[i].size);
    EXPECT_EQ(read->files[i].modified, manifest.files[i].modified);
    EXPECT_EQ(read->files[i].hashes, manifest.files[i].hashes);
  }
}

TEST(ManifestTest, TheMhlBeforeIsReadToo) {
  auto const read = ParseManifest(R"(<?xml version="1.0" encoding="UTF-8"?>
<hashlist version="1.1">
  <creatorinfo><hostname>rig</hostname><tool>Silverstack</tool></creatorinfo>
  <hash>
    <file>A001\a.mov</file>
    <size>5</size>
    <lastmodificationdate>2026-11-29T14:00:00Z</lastmodificationdate>
    <xxhash64be>0123456789ABCDEF</xxhash64be>
    <hashdate>2026-11-29T14:00:01Z</hashdate>
  </hash>
  <hash><file>b</file><size>6</size><xxhash64>efcdab8967452301</xxhash64></hash>
  <hash><file>c</file><size>7</size><xxhash>123</xxhash><md5>AA</md5></hash>
</hashlist>)");
  ASSERT_TRUE(Ok(read));
  ASSERT_THAT(read->files, SizeIs(3));
  EXPECT_EQ(read->files[0].path, "A001/a.mov");
  EXPECT_EQ(read->files[0].size, 5U);
  EXPECT_EQ(read->files[0].modified, 1'795'960'800'000'000'000);
  EXPECT_EQ(read->files[0].hashes[0], (MediaHash{HashFormat::kXxh64, "0123456789abcdef"}));
  EXPECT_EQ(read->files[1].hashes, read->files[0].hashes) << "its bytes are the other way round";
  ASSERT_THAT(read->files[2].hashes, SizeIs(1)) << "of 32 bits nobody can tell much";
  EXPECT_EQ(read->files[2].hashes[0].value, "aa");
}

TEST(ManifestTest, APathThatLeavesTheDirectoryIsRefused) {
  for (auto const* path : {"../a", "/etc/passwd", "a/../../b", "a//b", "./a", ""}) {
    EXPECT_THAT(WhyNot(WithPath(path)), HasSubstr("is no path within the directory")) << path;
  }
  EXPECT_EQ(WhyNot(WithPath("..a/b..")), "it is one");
}

TEST(ManifestTest, EntitiesAreRefused) {
  EXPECT_THAT(WhyNot("<!DOCTYPE x [<!ENTITY a \"b\">]><hashlist version=\"2.0\"/>"),
              HasSubstr("declares entities"));
  EXPECT_THAT(WhyNot("<!DOCTYPE x [<!ENTITY a SYSTEM \"file:///etc/passwd\">]>"
                     "<hashlist version=\"2.0\"><hash><path>&a;</path></hash></hashlist>"),
              HasSubstr("declares entities"));
}

TEST(ManifestTest, WhatIsNoneIsSaidWithItsLine) {
  EXPECT_THAT(WhyNot(""), HasSubstr("line 1"));
  EXPECT_THAT(WhyNot("<html/>"), HasSubstr("no media hash list"));
  EXPECT_THAT(WhyNot("<hashlist version=\"9\"/>"), HasSubstr("version 9"));
  EXPECT_THAT(WhyNot("<hashlist version=\"2.0\">\n<hash>"), HasSubstr("line 2"));
  EXPECT_THAT(
      WhyNot("<hashlist version=\"2.0\"><hash><path size=\"-1\">a</path></hash></hashlist>"),
      HasSubstr("'-1' is no size"));
  std::string deep = "<hashlist version=\"2.0\">";
  for (int i = 0; i < 100; ++i) deep += "<a>";
  EXPECT_THAT(WhyNot(deep), HasSubstr("nested too deeply"));
}

TEST(ManifestTest, SaysWhatFitsIntoIt) {
  EXPECT_TRUE(FitsIntoXml("DCIM/\xc3\xa4 <&> \"'.mov"));
  EXPECT_FALSE(FitsIntoXml("line\nbreak"));
  EXPECT_FALSE(FitsIntoXml("half \xc3"));
  EXPECT_FALSE(FitsIntoXml("\xff"));
}

TEST(ManifestTest, WhatXmlCannotHaveIsReplaced) {
  EXPECT_EQ(EscapeXml("a\x01"
                      "b\xff<"),
            "a\xef\xbf\xbd"
            "b\xef\xbf\xbd&lt;");
  EXPECT_EQ(EscapeXml("line\n"), "line&#10;");
}

}  // namespace
}  // namespace tusfs
