// Target: temporary names, and what the server is told about a file.
#include "uploader/target.h"

#include <gmock/gmock.h>

namespace tusfs {
namespace {

using testing::Contains;
using testing::Pair;

TEST(FinalNameOf, KnowsTheNamesThatProgramsGiveWhileTheyWrite) {
  EXPECT_EQ(FinalNameOf(".clip.mov.a1B2c3"), "clip.mov");
  EXPECT_EQ(FinalNameOf(".noext.a1B2c3"), "noext");
  EXPECT_EQ(FinalNameOf("..hidden.a1B2c3"), ".hidden");
  EXPECT_EQ(FinalNameOf("clip.mov.part"), "clip.mov");
  EXPECT_EQ(FinalNameOf("clip.mov.crdownload"), "clip.mov");
  EXPECT_EQ(FinalNameOf("clip.mov.filepart"), "clip.mov");
  EXPECT_EQ(FinalNameOf("clip.mov.opdownload"), "clip.mov");
  EXPECT_EQ(FinalNameOf("clip.mov.partial"), "clip.mov");
  EXPECT_EQ(FinalNameOf("clip.mov.bakalu7.partial"), "clip.mov.bakalu7");
  EXPECT_EQ(FinalNameOf("clip.mov.bakalub7.partial"), "clip.mov");
  EXPECT_EQ(FinalNameOf("clip.mov.1a2b3c4d.partial"), "clip.mov");
  EXPECT_EQ(FinalNameOf(".clip.mov.part"), "clip.mov");
  EXPECT_EQ(FinalNameOf(".in.clip.mov."), "clip.mov");
  EXPECT_EQ(FinalNameOf(".syncthing.clip.mov.tmp"), "clip.mov");
  EXPECT_EQ(FinalNameOf(".goutputstream-X1Y2Z3"), "");
  EXPECT_EQ(FinalNameOf(".pureftpd-upload.5f2.15.77.a1"), "");
}

TEST(FinalNameOf, LeavesOtherNamesAlone) {
  for (auto const* name :
       {"clip.mov", "part", ".part", "clip.parts", ".hidden", "a.b.c", "", ".", "..", ".a1B2c3",
        "..a1B2c3", ".x.abcde", ".x.abcdefg", ".x.abc-ef", "x.a1B2c3", ".crdownload", ".partial", "..part", "...part",
        ".in..", ".syncthing..tmp", "clip.tmp"}) {
    EXPECT_EQ(FinalNameOf(name), std::nullopt) << name;
  }
}

TEST(IsRsyncTemporary, KnowsRsyncsOwnNamesOnly) {
  EXPECT_TRUE(IsRsyncTemporary(".clip.mov.a1B2c3"));
  EXPECT_FALSE(IsRsyncTemporary("clip.mov.part"));
  EXPECT_FALSE(IsRsyncTemporary(".clip.mov"));
}

TEST(TargetPath, IsThatOfTheFinalNameInTheSameDirectory) {
  EXPECT_EQ(TargetPath("a/b/.clip.mov.a1B2c3"), "a/b/clip.mov");
  EXPECT_EQ(TargetPath("clip.mov.part"), "clip.mov");
  EXPECT_EQ(TargetPath("a.part/clip.mov"), "a.part/clip.mov");
  EXPECT_EQ(TargetPath("a/.goutputstream-X1Y2Z3"), "a/.goutputstream-X1Y2Z3");
}

TEST(MimeTypeOf, UnknownExtensionsAreOctets) {
  EXPECT_EQ(MimeTypeOf("a/b.no-such-extension"), "application/octet-stream");
  EXPECT_EQ(MimeTypeOf("noextension"), "application/octet-stream");
  EXPECT_EQ(MimeTypeOf("dir.mov/noextension"), "application/octet-stream");
  EXPECT_EQ(MimeTypeOf("trailing."), "application/octet-stream");
  EXPECT_EQ(MimeTypeOf(""), "application/octet-stream");
}

TEST(MimeTypeOf, ExtensionsAreReadWithoutCase) {
  EXPECT_EQ(MimeTypeOf("a.TXT"), MimeTypeOf("a.txt"));
}

TEST(MetadataFor, TellsNamePathTimeAndIdentity) {
  Upload upload;
  upload.id = Uuid::Random();
  upload.path = "day 1/clip ä.bin";
  auto const metadata = MetadataFor(DefaultMetadata(), upload, 1'700'000'000'999'999'999);
  EXPECT_THAT(metadata, Contains(Pair("filename", "clip ä.bin")));
  EXPECT_THAT(metadata, Contains(Pair("relativePath", "day 1/clip ä.bin")));
  EXPECT_THAT(metadata, Contains(Pair("mtime", "1700000000")));
  EXPECT_THAT(metadata, Contains(Pair("tusfsId", upload.id.ToString())));
  EXPECT_TRUE(tus::EncodeMetadata(metadata));
}

TEST(MetadataFor, SaysWhatTheServerWasConfiguredFor) {
  Upload upload;
  upload.path = "a/b.txt";
  std::vector<tus::MetadataTemplate> const templates{{"objectName", "rig-7/{path}"},
                                                     {"bytes", "{size}"}};
  EXPECT_EQ(MetadataFor(templates, upload, 0), (tus::Metadata{{"objectName", "rig-7/a/b.txt"}}));
  upload.length = 12;
  EXPECT_EQ(MetadataFor(templates, upload, 0).back(), (tus::Metadata::value_type{"bytes", "12"}));
}

TEST(MetadataFor, NamesOfAnyBytesCanBeSent) {
  Upload upload;
  upload.path = std::string("\xff\n,\x01 =", 6);
  EXPECT_TRUE(tus::EncodeMetadata(MetadataFor(DefaultMetadata(), upload, -1)));
}

}  // namespace
}  // namespace tusfs
