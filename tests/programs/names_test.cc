// Names that nobody should give to a file: each arrives, and its metadata says which it was.
#include <cstdio>

#include "programs/programs_test.h"

namespace tusfs_testing {
namespace {

namespace fs = std::filesystem;

struct HostileName {
  std::string name;
  std::string declared;  // as is where it is clean
};

std::vector<HostileName> const kNames{
    {"two\nlines", "two%0Alines"},
    {"\n", "%0A"},
    {"tab\tbell\a", "tab%09bell%07"},
    {"escape\x1b[31mred", "escape%1B[31mred"},
    {"delete\x7f", "delete%7F"},
    {"latin1-\xe9t\xe9", "latin1-%E9t%E9"},
    {"half a character \xc3", "half a character %C3"},
    {"\xff\xfe", "%FF%FE"},
    {"overlong \xc0\xaf", "overlong %C0%AF"},
    {"surrogate \xed\xa0\x80", "surrogate %ED%A0%80"},
    {"100% \xff", "100%25 %FF"},
    {"100%", "100%"},
    {"%41", "%41"},
    {"-rf", "-rf"},
    {"--help", "--help"},
    {"..x", "..x"},
    {"...", "..."},
    {" leading and trailing ", " leading and trailing "},
    {"it's \"quoted\"", "it's \"quoted\""},
    {"back\\slash", "back\\slash"},
    {"$(reboot)", "$(reboot)"},
    {"a=b,c;d&e?f#g", "a=b,c;d&e?f#g"},
    {"\xf0\x9f\x8e\xac\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x9a\x80.mov",
     "\xf0\x9f\x8e\xac\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x9a\x80.mov"},
    {"right\xe2\x80\xaeto left", "right\xe2\x80\xaeto left"},
    {"u\xcc\x88 is not \xc3\xbc", "u\xcc\x88 is not \xc3\xbc"},
    {std::string(255, 'n'), std::string(255, 'n')},
    {std::string(255, '\x01'),
     [] {
       std::string encoded;
       for (int i = 0; i < 255; ++i) encoded += "%01";
       return encoded;
     }()},
};

// For the log of a test.
std::string Shown(std::string const& name) {
  std::string shown;
  for (unsigned char const byte : name) {
    char text[8];
    std::snprintf(text, sizeof text, byte >= 0x20 && byte < 0x7f ? "%c" : "\\x%02x", byte);
    shown += text;
  }
  return shown;
}

class NamesTest : public ProgramsTest {};

TEST_F(NamesTest, EachIsDeclaredAsItIsOrEncodedAndSaysSo) {
  Mount();
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    auto const source = dir_ / "source";
    WriteFile(source, "file " + std::to_string(i));
    Run({"cp", "--", source, In(kNames[i].name)});
  }
  EXPECT_EQ(mount_->WaitUploaded(std::chrono::seconds(20)), 0);

  std::map<std::string, UploadView> by_content;
  for (auto const& upload : server().Uploads()) {
    if (upload.complete) by_content[ReadFile(server_->File(upload))] = upload;
  }
  EXPECT_EQ(PublishedSince(), static_cast<int>(kNames.size()));
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    auto const& [name, declared] = kNames[i];
    SCOPED_TRACE(Shown(name));
    auto const upload = by_content.find("file " + std::to_string(i));
    if (upload == by_content.end()) {
      ADD_FAILURE() << "it is not on the server";
      continue;
    }
    EXPECT_EQ(Shown(upload->second.Metadata("filename")), Shown(declared));
    EXPECT_EQ(Shown(upload->second.Metadata("relativePath")), Shown(declared));
    EXPECT_EQ(upload->second.Metadata("tusfsEncoding"), name == declared ? "" : "percent");
  }
  AddRow("cp to hostile names", std::to_string(kNames.size()) + " uploaded", 0);
}

TEST_F(NamesTest, ADirectoryOfSuchANameIsPartOfThePath) {
  Mount();
  fs::create_directory(In("A\xff"));
  auto const source = Source("source", kMiB);
  Run({"cp", source, In("A\xff/100%.mov")});
  ASSERT_EQ(mount_->WaitUploaded(), 0);
  auto const uploads = server().Uploads();
  ASSERT_EQ(uploads.size(), 1U);
  EXPECT_EQ(uploads[0].Metadata("relativePath"), "A%FF/100%25.mov");
  EXPECT_EQ(uploads[0].Metadata("tusfsEncoding"), "percent");
  EXPECT_EQ(Sha256OfFile(server_->File(uploads[0])), Sha256OfFile(source));
}

TEST_F(NamesTest, APathOfManyLongDirectoriesArrives) {
  Mount();
  std::string path;
  for (int i = 0; i < 8; ++i) path += std::string(200, static_cast<char>('a' + i)) + "/";
  fs::create_directories(In(path));
  auto const source = Source("source", 1000);
  Run({"cp", source, In(path + "file")});
  ExpectArrival("cp to a path of 1,600 bytes", path + "file", source);
}

}  // namespace
}  // namespace tusfs_testing
