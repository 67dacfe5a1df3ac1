// Target: temporary names, and what the server is told about a file.
#include "uploader/target.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <random>
#include <sstream>

#include "base/machine.h"

namespace tusfs {
namespace {

using testing::Contains;
using testing::Pair;

TEST(FinalNameOf, KnowsTheNamesThatProgramsGiveWhileTheyWrite) {
  EXPECT_EQ(FinalNameOf(".clip.mov.a1B2c3"), "clip.mov");
  EXPECT_EQ(FinalNameOf(".noext.a1B2c3"), "noext");
  EXPECT_EQ(FinalNameOf("..hidden.a1B2c3"), ".hidden");
  EXPECT_EQ(FinalNameOf(".clip.mov.qwhzkd"), "clip.mov");
  EXPECT_EQ(FinalNameOf(".noext.123456"), "noext");
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
  EXPECT_EQ(FinalNameOf("clip.mov.!qB"), "clip.mov");
  EXPECT_EQ(FinalNameOf("clip.!ut"), "clip");
  EXPECT_EQ(FinalNameOf("a.jpg_exiftool_tmp"), "a.jpg");
  EXPECT_EQ(FinalNameOf("clip.mov.tmp"), "clip.mov");
  EXPECT_EQ(FinalNameOf("tmp.clip.mov"), "clip.mov");
  EXPECT_EQ(FinalNameOf("clip.mov.copying"), "clip.mov");
  EXPECT_EQ(FinalNameOf("clip.mov.incomplete"), "clip.mov");
  EXPECT_EQ(FinalNameOf("clip.mov.download"), "clip.mov");
  EXPECT_EQ(FinalNameOf("clip.hK3pQ7_x.mov.part"), "clip.hK3pQ7_x.mov");
  EXPECT_EQ(FinalNameOf("clip.hK3pQ7Zx.mov.part"), "clip.mov") << "Firefox";
  EXPECT_EQ(FinalNameOf("log.20240131.csv.part"), "log.20240131.csv");
  EXPECT_EQ(FinalNameOf("a.document.odt.part"), "a.document.odt");
  EXPECT_EQ(FinalNameOf(".clip.mov.tusfs-import"), "clip.mov");
  EXPECT_EQ(FinalNameOf(".tusfs-import.clip.mov"), "");
  EXPECT_EQ(FinalNameOf(".goutputstream-X1Y2Z3"), "");
  EXPECT_EQ(FinalNameOf(".pureftpd-upload.5f2.15.77.a1"), "");
}

TEST(FinalNameOf, LeavesOtherNamesAlone) {
  for (auto const* name :
       {"clip.mov",        "part",      ".part",      "clip.parts", ".hidden",
        "a.b.c",           "",          ".",          "..",         ".a1B2c3",
        "..a1B2c3",        ".x.abcde",  ".x.abcdefg", ".x.abc-ef",  "x.a1B2c3",
        ".crdownload",     ".partial",  "..part",     "...part",    ".in..",
        ".syncthing..tmp", "clip.tmp",  "tmp.mov",    "tmp.",       "clip.download",
        ".tusfs-import",   ".x.import", ".copying",   ".mov.tmp",   "...aB12cd",
        "....aB12cd"}) {
    EXPECT_EQ(FinalNameOf(name), std::nullopt) << name;
  }
}

TEST(FinalNameOf, TakesSixSmallLettersForAWordWhereTheyMayBeOne) {
  for (auto const* name :
       {".app.config", ".noext.qwhzkd", "..hidden.qwhzkd", ".a.b.backup", ".app.dev.config"}) {
    EXPECT_EQ(FinalNameOf(name), std::nullopt) << name;
  }
}

TEST(IsRsyncTemporary, IsNoNameThatWouldBecomeTheDirectoryOrTheOneAboveIt) {
  EXPECT_FALSE(IsRsyncTemporary("...aB12cd"));
  EXPECT_FALSE(IsRsyncTemporary("....aB12cd"));
  EXPECT_TRUE(IsRsyncTemporary(".....aB12cd"));
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

// ---- no name leads a server out of the directory that the file is in

/// Pieces of which the forms of temporary names are made, and bytes between them.
std::string RandomName(std::mt19937& random) {
  static std::vector<std::string> const pieces{".",
                                               "..",
                                               "...",
                                               ".part",
                                               ".partial",
                                               ".in.",
                                               ".tmp",
                                               ".aB12cd",
                                               ".a1b2c3d4",
                                               ".crdownload",
                                               "x",
                                               ".syncthing.",
                                               ".filepart",
                                               ".opdownload",
                                               ".goutputstream-",
                                               ".pureftpd-upload.",
                                               "\xff",
                                               "\n"};
  std::string name;
  for (auto left = 1 + random() % 4; left > 0; --left) {
    auto const piece = random() % (pieces.size() + 2);
    name += piece < pieces.size() ? pieces[piece] : std::string(1, static_cast<char>(random()));
  }
  std::erase_if(name, [](char c) { return c == '/' || c == '\0'; });
  return name == "." || name == ".." || name.empty() ? "x" : name;
}

void ExpectToStay(std::string const& path, std::string const& of) {
  std::istringstream names(path + "/");
  for (std::string name; std::getline(names, name, '/');) {
    EXPECT_FALSE(name.empty() || name == "." || name == "..") << path << " of " << of;
    EXPECT_LE(name.size(), 255U) << path << " of " << of;
    EXPECT_EQ(name.find('\0'), std::string::npos) << path << " of " << of;
  }
}

TEST(TargetPath, HasNoComponentThatIsNoName) {
  std::mt19937 random(15);
  for (int i = 0; i < 20'000 && !testing::Test::HasFailure(); ++i) {
    auto const path = "inbox/" + RandomName(random) + "/" + RandomName(random);
    Upload upload;
    upload.path = TargetPath(path);
    ExpectToStay(upload.path, path);
    EXPECT_EQ(std::ranges::count(upload.path, '/'), 2) << path;
    auto const told = MetadataFor(DefaultMetadata(), upload, 0);
    for (auto const& [key, value] : told) {
      if (key == "relativePath" || key == "filename") ExpectToStay(value, path);
    }
    for (auto const& preset : tus::Presets()) {
      auto const named = MetadataFor(preset.metadata, upload, 0);
      ExpectToStay(named.front().second, path);
    }
  }
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

TEST(MetadataFor, ATimeThatIsNotKnownYetIsLeftOut) {
  Upload upload;
  upload.path = "clip.mov";
  auto const keys = [&](std::optional<FileTime> modified) {
    std::string text;
    for (auto const& [key, value] :
         MetadataFor({{{"when", "at {mtime}"}, {"name", "{name}"}}}, upload, modified)) {
      text += key + " ";
    }
    return text;
  };
  EXPECT_EQ(keys({}), "name ");
  EXPECT_EQ(keys(0), "when name ");
}

TEST(MetadataFor, NamesTheMachine) {
  Upload upload;
  upload.path = "a";
  std::vector<tus::MetadataTemplate> const templates{{"rig", "{host}"}};
  EXPECT_EQ(MetadataFor(templates, upload, 0), (tus::Metadata{{"rig", HostName()}}));
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

// ---- names that are no clean text

// What a server does with tusfsEncoding=percent.
std::string Decoded(std::string const& text) {
  std::string decoded;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      decoded += text[at];
      continue;
    }
    decoded += static_cast<char>(std::stoi(text.substr(at + 1, 2), nullptr, 16));
    at += 2;
  }
  return decoded;
}

std::map<std::string, std::string> MetadataOf(std::string const& path) {
  Upload upload;
  upload.path = path;
  auto const metadata = MetadataFor(DefaultMetadata(), upload, 0);
  EXPECT_TRUE(tus::EncodeMetadata(metadata));
  return {metadata.begin(), metadata.end()};
}

TEST(NamesInMetadata, ThatAreCleanTextGoAsTheyAre) {
  for (std::string const path : {"clip.mov", "100%.mov", "a%41", "día 1/clip ä.mov",
                                 "日本/\xf0\x9f\x8e\xac", " ,=\"", "~"}) {
    auto const metadata = MetadataOf(path);
    EXPECT_EQ(metadata.at("relativePath"), path);
    EXPECT_FALSE(metadata.contains("tusfsEncoding")) << path;
  }
}

TEST(NamesInMetadata, ThatAreNotGoPercentEncodedAndSaySo) {
  for (auto const& path : {
           std::string("\xff.mov"),
           std::string("caf\xe9/50%.mov"),
           std::string("new\nline"),
           std::string("\x01\x1f\x7f"),
           std::string("ä\xc3"),
           std::string("\xc0\xaf"),
           std::string("\xed\xa0\x80"),
           std::string("\xf4\x90\x80\x80"),
           std::string("\xe0\x80\x80"),
           std::string("\xf5\x80\x80\x80"),
           std::string("next\xc2\x85line"),
           std::string("\xe2\x82"),
       }) {
    auto const metadata = MetadataOf(path);
    auto const& sent = metadata.at("relativePath");
    EXPECT_EQ(metadata.at("tusfsEncoding"), "percent");
    EXPECT_EQ(Decoded(sent), path);
    EXPECT_EQ(Decoded(metadata.at("filename")), path.substr(path.rfind('/') + 1));
    EXPECT_EQ(PercentEncode(sent).find_first_of("\n\x01\x7f\xff"), std::string::npos);
  }
  EXPECT_EQ(PercentEncode("caf\xe9 ä 50%"), "caf%E9 ä 50%25");
}

TEST(NamesInMetadata, OfEveryByteComeBack) {
  for (int byte = 1; byte < 256; ++byte) {
    auto const path = std::string("a") + static_cast<char>(byte) + "b";
    EXPECT_EQ(Decoded(PercentEncode(path)), path) << byte;
  }
}

TEST(NamesInMetadata, AreNotSpokenOfWhereNoTemplateHasThem) {
  Upload upload;
  upload.path = "\xff";
  std::vector<tus::MetadataTemplate> const templates{{"project", "dune"}};
  EXPECT_EQ(MetadataFor(templates, upload, 0), (tus::Metadata{{"project", "dune"}}));
}

TEST(WhyNotSendable, IsThatItIsTooLongOrMalformedAndSaysTheWayOut) {
  EXPECT_EQ(WhyNotSendable({{"filename", std::string(255, 'x')}}), std::nullopt);
  auto const why = WhyNotSendable({{"relativePath", std::string(20'000, 'x')}});
  ASSERT_TRUE(why);
  EXPECT_THAT(*why, testing::HasSubstr("26681 bytes"));
  EXPECT_THAT(*why, testing::HasSubstr("shorter path"));
  EXPECT_TRUE(WhyNotSendable({{"a key", "x"}}));
}

}  // namespace
}  // namespace tusfs
