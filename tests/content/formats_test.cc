// Single judges: what their headers promise of files that no program at hand makes.
#include <gmock/gmock.h>

#include <random>

#include "memory_source.h"
#include "testing/files.h"

namespace tusfs {
namespace {

using namespace std::string_literals;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

/// `length` bytes of a number.
std::string Big(std::uint64_t value, int length) {
  std::string bytes;
  while (length-- > 0) bytes += static_cast<char>(value >> (8 * length));
  return bytes;
}
std::string Little(std::uint64_t value, int length) {
  auto bytes = Big(value, length);
  return {bytes.rbegin(), bytes.rend()};
}

std::string Box(std::string const& type, std::string const& body) {
  return Big(body.size() + 8, 4) + type + body;
}

// ---- any

TEST(WhyNotWhole, WhatIsOfNoKnownFormatPasses) {
  EXPECT_THAT(WhyNot("", "notes.txt"), IsEmpty());
  EXPECT_THAT(WhyNot(std::string(100'000, '\0'), "disk.img"), IsEmpty());
  EXPECT_THAT(WhyNot("", "mp4"), IsEmpty());
  EXPECT_THAT(WhyNot("", "clip.mp4/notes"), IsEmpty());
  EXPECT_THAT(WhyNot("", "clip."), IsEmpty());
  EXPECT_THAT(WhyNot("", "clip.mp4 mov"), IsEmpty());
}

constexpr char const* kNames[] = {"a.mp4", "a.MOV", "a.m4a",   "a.mxf", "a.wav", "a.mkv", "a.webm",
                                  "a.jpg", "a.png", "a.DNG",   "a.tif", "a.pdf", "a.zip", "a.docx",
                                  "a.gz",  "a.xz",  "x/a.tar", "a.bz2", "a.zst", "a.rf64"};

TEST(WhyNotWhole, AnEmptyFileOfAKnownFormatIsNot) {
  for (auto const* name : kNames) EXPECT_EQ(WhyNot("", name), "is empty") << name;
}

TEST(WhyNotWhole, AFileOfZerosIsNot) {
  for (auto const* name : kNames) {
    EXPECT_THAT(WhyNot(std::string(200'000, '\0'), name), Not(IsEmpty())) << name;
  }
  EXPECT_EQ(WhyNot(std::string(200'000, '\0'), "a.mov"), "begins with 4096 zero bytes");
}

TEST(WhyNotWhole, WhatDoesNotLookLikeItsNamePasses) {
  std::string const text = "Not what its name says, but nobody may hold that against it.";
  for (auto const* name : kNames) EXPECT_THAT(WhyNot(text, name), IsEmpty()) << name;
  for (auto const* name : kNames) {
    EXPECT_THAT(WhyNot(tusfs_testing::RandomBytes(100'000), name), IsEmpty()) << name;
  }
}

TEST(WhyNotWhole, RandomBytesBehindAGoodBeginBreakNothing) {
  std::vector<std::string> const begins{"RIFF\x10\0\0\0WAVE"s,
                                        "\xff\xd8\xff"s,
                                        "II*\0"s,
                                        "MM\0+"s,
                                        "PK\3\4"s,
                                        "%PDF-1.7 "s,
                                        "\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67"s,
                                        "\0\0\0\x08moov"s,
                                        "\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01\x01\x02"s,
                                        "\x89PNG\r\n\x1a\n"s,
                                        ""s};
  for (std::uint64_t seed = 0; seed < 2'000; ++seed) {
    auto const bytes =
        begins[seed % begins.size()] + tusfs_testing::RandomBytes(seed * 7 % 3'000, seed);
    for (auto const* name : kNames) static_cast<void>(WhyNot(bytes, name));
  }
}

TEST(WhyNotWhole, WhatCannotBeReadIsAnErrorAndNoVerdict) {
  auto const bytes = Box("ftyp", "qt  ") + Box("mdat", std::string(100, 'x'));
  MemorySource source(bytes);
  source.fails_before = 50;
  EXPECT_EQ(CodeOf(WhyNotWhole(source, "a.mov")), EIO);
}

TEST(WhyNotWhole, WhatIsTooLongWindedPasses) {
  std::string bytes = Box("ftyp", "qt  ");
  for (int i = 0; i < 5'000; ++i) bytes += Box("free", "");
  EXPECT_THAT(WhyNot(bytes, "a.mov"), IsEmpty());
}

// ---- film and sound

TEST(JudgeIsoMedia, SaysWhichBoxIsCutAndBothSizes) {
  auto const begin = Box("ftyp", "isom") + Big(1, 4) + "mdat" + Big(4'100'000'000, 8);
  MemorySource const source(begin, 2'300'000'000);
  EXPECT_EQ(WhyNotWhole(source, "a.mp4").value(), "its mdat says 4.1 GB, the file has 2.3 GB");
}

TEST(JudgeIsoMedia, ARecorderThatDiedLeavesNoMoov) {
  auto const head = Box("ftyp", "isom") + Box("free", "");
  EXPECT_EQ(WhyNot(head + Big(0, 4) + "mdat" + std::string(5'000, 'x'), "a.mp4"),
            "has no moov: it was not finished");
  EXPECT_THAT(WhyNot(head + Box("mdat", "") + std::string(5'000, 'x'), "a.mp4"),
              HasSubstr("no moov"));
  EXPECT_THAT(WhyNot(head + Box("mdat", "x") + std::string(5'000, '\0'), "a.mp4"),
              HasSubstr("zeros from byte 29 on"));
}

TEST(JudgeIsoMedia, AnMdatThatGoesToTheEndIsGoodBehindAMoov) {
  auto const moov = Box("moov", Box("mvhd", std::string(100, 'x')));
  EXPECT_THAT(WhyNot(Box("ftyp", "isom") + moov + Big(0, 4) + "mdat" + "xyz", "a.mp4"), IsEmpty());
}

TEST(JudgeIsoMedia, WhatIsAppendedIsNotHeldAgainstIt) {
  auto const film = Box("ftyp", "isom") + Box("mdat", "film") + Box("moov", Box("mvhd", "x"));
  for (auto const& more : {"TAG"s + std::string(125, 'x'), std::string(100'000, '\0'), "abc"s,
                           Big(5'000, 4) + "free", Big(0xffffffff, 4) + "SEFT"}) {
    EXPECT_THAT(WhyNot(film + more, "a.mp4"), IsEmpty());
  }
}

TEST(JudgeIsoMedia, AMoovOfZerosIsHollow) {
  auto const moov = Box("moov", Box("mvhd", std::string(100, 'x')) + std::string(500, '\0'));
  EXPECT_THAT(WhyNot(Box("ftyp", "isom") + Box("mdat", "film") + moov, "a.mp4"),
              HasSubstr("zeros in its moov"));
}

TEST(JudgeIsoMedia, SamplesOfAnotherFileAreNotLookedFor) {
  auto const track = [](char self) {
    auto const dref = Box("dref", Big(1, 8) + Box("alis", Big(0, 3) + self));
    auto const stco = Box("stco", Big(0, 4) + Big(1, 4) + Big(0x10000, 4));
    return Box("trak", Box("mdia", Box("minf", Box("dinf", dref) + Box("stbl", stco))));
  };
  EXPECT_THAT(WhyNot(Box("ftyp", "qt  ") + Box("moov", track('\0')), "a.mov"), IsEmpty());
  EXPECT_EQ(WhyNot(Box("ftyp", "qt  ") + Box("moov", track('\1')), "a.mov"),
            "its index says 65.5 kB, the file has 108 bytes");
}

TEST(JudgeIsoMedia, BoxesWithinEachOtherForeverAreNotFollowed) {
  std::string nested;
  for (int i = 0; i < 3'000; ++i) nested = Box("trak", nested);
  EXPECT_THAT(WhyNot(Box("moov", nested), "a.mov"), IsEmpty());
}

std::string Wave(std::uint64_t riff, std::uint64_t data, std::size_t there) {
  return "RIFF" + Little(riff, 4) + "WAVEfmt " + Little(16, 4) + std::string(16, '\1') + "data" +
         Little(data, 4) + std::string(there, 'x');
}

TEST(JudgeRiff, SizesOfAWriterThatStreamsAreNotFinished) {
  EXPECT_THAT(WhyNot(Wave(0, 0, 10'000), "a.wav"), HasSubstr("never filled in"));
  EXPECT_THAT(WhyNot(Wave(36, 0, 10'000), "a.wav"), HasSubstr("never filled in"));
  EXPECT_THAT(WhyNot(Wave(0xffffffff, 0xffffffff, 10'000), "a.bwf"), HasSubstr("never filled in"));
  EXPECT_THAT(WhyNot(Wave(36 + 20'000, 20'000, 10'000), "a.wav"),
              "its data says 20.0 kB, the file has 10.0 kB");
}

TEST(JudgeRiff, SmallMiscountsAreGood) {
  EXPECT_THAT(WhyNot(Wave(36, 0, 0), "a.wav"), IsEmpty()) << "nothing was recorded";
  EXPECT_THAT(WhyNot(Wave(44 + 1001, 1001, 1001), "a.wav"), IsEmpty());
  EXPECT_THAT(WhyNot(Wave(36 + 1004, 1004, 1000), "a.wav"), IsEmpty());
  EXPECT_THAT(WhyNot(Wave(36 + 1000, 1000, 5'000), "a.wav"), IsEmpty()) << "more behind it";
}

TEST(JudgeRiff, ALargeOneHasItsSizesElsewhere) {
  auto const wave = [](std::uint64_t data, std::size_t there) {
    return "RF64" + Little(0xffffffff, 4) + "WAVEds64" + Little(28, 4) + Little(48 + data, 8) +
           Little(data, 8) + std::string(12, '\0') + "data" + Little(0xffffffff, 4) +
           std::string(there, 'x');
  };
  EXPECT_THAT(WhyNot(wave(10'000, 10'000), "a.rf64"), IsEmpty());
  EXPECT_THAT(WhyNot(wave(20'000, 10'000), "a.wav"), HasSubstr("its data says"));
  EXPECT_THAT(WhyNot(wave(~std::uint64_t{0}, 10'000), "a.wav"), HasSubstr("its data says"));
}

TEST(JudgeMatroska, OfALiveRecordingOnlyWhatIsCutIsHeld) {
  auto const head = "\x1a\x45\xdf\xa3\x84mkv!"s + "\x18\x53\x80\x67\x01" + std::string(7, '\xff');
  auto const cluster = "\x1f\x43\xb6\x75\x84\xe7\x81\x01\xbf"s.substr(0, 8);
  auto const block = "\xa3\x85hello"s;
  EXPECT_THAT(WhyNot(head + "\x1f\x43\xb6\x75\xff" + "\xe7\x81\x01" + block + block, "a.webm"),
              IsEmpty());
  EXPECT_THAT(
      WhyNot(head + "\x1f\x43\xb6\x75\xff" + "\xe7\x81\x01" + block + "\xa3\x85he", "a.webm"),
      HasSubstr("its last element says"));
  EXPECT_THAT(WhyNot(head + "\xec\x82xx" + "\x1f\x43\xb6\x75\x83\xe7\x81\x01", "a.mkv"),
              HasSubstr("the room that was kept for its index"));
}

TEST(JudgeMxf, AnOpenHeaderWantsAFooter) {
  auto const key = [](char kind, char status) {
    return "\x06\x0e\x2b\x34\x02\x05\x01\x01\x0d\x01\x02\x01\x01"s + kind + status + '\0';
  };
  auto const pack = [](std::uint64_t footer) {
    return "\x58"s + std::string(24, '\1') + Big(footer, 8) + std::string(16, '\0') +
           std::string(40, '\1');
  };
  auto const essence = std::string(10'000, 'x');
  EXPECT_THAT(WhyNot(key(2, 1) + pack(0) + essence, "a.mxf"), HasSubstr("no footer"));
  EXPECT_THAT(WhyNot(key(2, 2) + pack(0) + essence, "a.mxf"), IsEmpty());
  EXPECT_THAT(WhyNot(key(2, 1) + pack(0) + essence + key(4, 4) + pack(0), "a.mxf"), IsEmpty());
  EXPECT_THAT(WhyNot(key(2, 4) + pack(20'000) + essence, "a.mxf"),
              "its header says 20.0 kB, the file has 10.1 kB");
  EXPECT_THAT(WhyNot(std::string(60'000, '\0') + key(2, 4) + pack(0) + essence, "a.mxf"), IsEmpty())
      << "a run-in";
}

// ---- pictures

std::string Jpeg(std::string const& picture) {
  return "\xff\xd8\xff\xe0\0\4xx\xff\xda\0\4xx"s + picture;
}

TEST(JudgeJpeg, WhatStandsBehindThePictureIsNotHeldAgainstIt) {
  auto const picture = Jpeg(std::string(1'000, 'p') + "\xff\xd9");
  EXPECT_THAT(WhyNot(picture, "a.jpg"), IsEmpty());
  EXPECT_THAT(WhyNot(picture + std::string(100'000, '\0'), "a.jpg"), IsEmpty());
  EXPECT_THAT(WhyNot(picture + tusfs_testing::RandomBytes(3'000'000), "a.jpg"), IsEmpty());
  EXPECT_THAT(WhyNot(picture + std::string(3'000'000, 't'), "a.jpg"), IsEmpty());
  EXPECT_THAT(WhyNot(Jpeg(std::string(3'000'000, 'p') + "\xff\0p"s), "a.jpg"),
              HasSubstr("ends in"));
}

TEST(JudgeJpeg, APreviewInItsHeaderDoesNotEndIt) {
  auto const preview = "\xff\xd8\xff\xe1\0\x10"s + std::string(10, 'x') + "\xff\xd9xx";
  auto const cut = preview + "\xff\xda\0\4xx"s + std::string(2'000, 'p') + "\xff\0p"s;
  EXPECT_EQ(WhyNot(cut, "a.jpg"), "ends in the middle of the picture");
  EXPECT_EQ(WhyNot(Jpeg(std::string(100, 'p')) + std::string(70'000, '\0'), "a.jpg"),
            "ends with 65536 zero bytes or more");
  EXPECT_EQ(WhyNot("\xff\xd8\xff\xe1\x10\0x"s, "a.jpg"), "ends within its header");
}

TEST(JudgePng, WhatStandsBehindItsEndIsNotHeldAgainstIt) {
  auto const chunk = [](std::string const& type, std::string const& data) {
    return Big(data.size(), 4) + type + data + "sums";
  };
  auto const png = "\x89PNG\r\n\x1a\n"s + chunk("IHDR", "x") + chunk("IDAT", "y");
  for (auto const& more : {""s, "more"s, std::string(100'000, '\0')}) {
    EXPECT_THAT(WhyNot(png + chunk("IEND", "") + more, "a.png"), IsEmpty());
  }
  EXPECT_EQ(WhyNot(png, "a.png"), "ends before its last chunk, IEND");
  EXPECT_EQ(WhyNot(png + std::string(100, '\0'), "a.png"),
            "has no chunk at byte 34, where one should be");
  EXPECT_EQ(WhyNot(png + std::string(70'000, '\0'), "a.png"), "ends with 65536 zero bytes or more");
}

TEST(JudgeTiff, ARawPictureInAChildDirectoryIsLookedFor) {
  auto const entry = [](int tag, std::uint64_t value) {
    return Little(static_cast<std::uint64_t>(tag), 2) + Little(4, 2) + Little(1, 4) +
           Little(value, 4);
  };
  auto const dng = [&](std::uint64_t size) {
    return "II*\0"s + Little(8, 4) + Little(1, 2) + entry(330, 26) + Little(0, 4) + Little(2, 2) +
           entry(324, 100) + entry(325, size) + Little(0, 4) + std::string(500, 'x');
  };
  EXPECT_THAT(WhyNot(dng(400), "a.dng"), IsEmpty());
  EXPECT_THAT(WhyNot(dng(600), "a.dng"), "its directory says 700 bytes, the file has 556 bytes");
  EXPECT_THAT(WhyNot("MM\0*"s + Big(0, 4) + std::string(20, 'x'), "a.tif"),
              HasSubstr("not finished"));
}

TEST(JudgeTiff, DirectoriesThatLeadToEachOtherAreNotFollowedForever) {
  auto const tiff = "II*\0"s + Little(8, 4) + Little(1, 2) + Little(330, 2) + Little(4, 2) +
                    Little(1, 4) + Little(8, 4) + Little(8, 4);
  EXPECT_THAT(WhyNot(tiff, "a.tif"), IsEmpty());
}

// ---- documents and archives

TEST(JudgePdf, ItsEndAndItsTableAreLookedFor) {
  auto const body = "%PDF-1.4\n"s + std::string(2'000, 'o');
  EXPECT_THAT(WhyNot(body + "xref startxref\n2009\n%%EOF\n", "a.pdf"), IsEmpty());
  EXPECT_THAT(WhyNot(body + "xref startxref\n2009\n%%EOF\n" + std::string(3'000, '\0'), "a.pdf"),
              IsEmpty());
  EXPECT_EQ(WhyNot(body, "a.pdf"), "has no %%EOF at its end");
  EXPECT_THAT(WhyNot(body + "startxref\n99999\n%%EOF", "a.pdf"), StartsWith("its startxref says"));
  EXPECT_THAT(WhyNot(body + std::string(99, '\0') + "startxref 2010 %%EOF", "a.pdf"),
              HasSubstr("zeros where its cross-reference table should be"));
}

TEST(JudgePdf, ALinearizedOneSaysItsLength) {
  auto const pdf = [](int length) {
    return "%PDF-1.4\n1 0 obj <</Linearized 1/L " + std::to_string(length) +
           "/H [1 2]>> startxref 0 %%EOF " + std::string(300, 'o');
  };
  EXPECT_THAT(WhyNot(pdf(300), "a.pdf"), IsEmpty());
  EXPECT_THAT(WhyNot(pdf(9'000), "a.pdf"), HasSubstr("its first object says 9.0 kB"));
}

TEST(JudgeZip, APartOfASplitArchivePassesAndSoDoesOneBehindAProgram) {
  auto const end = [](int disk, std::uint64_t offset, std::uint64_t size) {
    return "PK\5\6"s + Little(static_cast<std::uint64_t>(disk), 2) + Little(0, 2) + Little(1, 2) +
           Little(1, 2) + Little(size, 4) + Little(offset, 4) + Little(0, 2);
  };
  auto const member = "PK\3\4"s + std::string(40, 'm');
  auto const entry = "PK\1\2"s + std::string(24, '\0') + std::string(18, '\0');
  EXPECT_THAT(WhyNot(member + entry + end(0, 44, 46), "a.zip"), IsEmpty());
  EXPECT_THAT(WhyNot("#!program" + member + entry + end(0, 44, 46), "a.zip"), IsEmpty());
  EXPECT_THAT(WhyNot(member + end(3, 4'000, 46), "a.zip"), IsEmpty());
  EXPECT_THAT(WhyNot(member + entry + end(0, 4'000, 46), "a.zip"),
              HasSubstr("its end record says"));
  EXPECT_THAT(WhyNot(std::string(44, '\0') + entry + end(0, 44, 46), "a.zip"),
              HasSubstr("zeros where a member should be, at byte 0"));
}

TEST(JudgeZip, NumbersThatHaveRunOverAreNotBelieved) {
  auto const end = "PK\5\6"s + std::string(4, '\0') + Little(1, 2) + Little(1, 2) + Little(46, 4) +
                   Little(4'000'000'000, 4) + Little(0, 2);
  std::uint64_t const front = 5'000'000'000;
  class LateBytes : public MemorySource {
   public:
    LateBytes(std::string_view bytes, std::uint64_t front)
        : MemorySource({}, front + bytes.size()), bytes_(bytes), front_(front) {}
    [[nodiscard]] Result<std::size_t> ReadAt(std::uint64_t offset,
                                             std::span<std::byte> out) const override {
      auto const read = MemorySource::ReadAt(offset, out);
      for (std::size_t i = 0; i < out.size(); ++i) {
        if (offset + i >= front_) out[i] = static_cast<std::byte>(bytes_[offset + i - front_]);
      }
      return read;
    }

   private:
    std::string_view const bytes_;
    std::uint64_t const front_;
  };
  EXPECT_EQ(WhyNotWhole(LateBytes(end, front), "a.zip").value(), std::nullopt);
  EXPECT_NE(WhyNotWhole(LateBytes(std::string(4, 'x'), front), "a.zip").value(), std::nullopt);
}

TEST(JudgeTar, AnEmptyArchiveIsGoodAndAHollowOneIsNot) {
  EXPECT_THAT(WhyNot(std::string(10'240, '\0'), "a.tar"), IsEmpty());
  EXPECT_EQ(WhyNot(std::string(1'000'000, '\0'), "a.tar"), "begins with 69632 zero bytes");
}

TEST(JudgeXz, StreamsMayBePadded) {
  auto const xz =
      "\xfd"
      "7zXZ\0"s +
      std::string(40, 'x') + "YZ";
  EXPECT_THAT(WhyNot(xz + std::string(4'000, '\0'), "a.xz"), IsEmpty());
  EXPECT_THAT(WhyNot(xz + std::string(80'000, '\0'), "a.xz"), HasSubstr("zero bytes"));
  EXPECT_THAT(WhyNot(xz + "x", "a.txz"), HasSubstr("does not end"));
}

}  // namespace
}  // namespace tusfs
