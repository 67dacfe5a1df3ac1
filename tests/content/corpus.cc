#include "corpus.h"

#include <gtest/gtest.h>

#include "testing/files.h"
#include "testing/process.h"

namespace tusfs {
namespace {

using enum Tells;
using tusfs_testing::HaveProgram;
using tusfs_testing::RunProgram;

/// Not every program that is called convert is ImageMagick's.
bool IsThere(std::string const& program) {
  if (program == "Pillow") return RunProgram({"python3", "-c", "import PIL"}).code == 0;
  if (program == "ImageMagick") {
    return HaveProgram("convert") &&
           RunProgram({"convert", "-version"}).out.find(program) != std::string::npos;
  }
  return HaveProgram(program);
}

}  // namespace

std::vector<Sample> const& Samples() {
  static std::vector<Sample> const samples{
      // Film and sound
      {"last.mp4", "ffmpeg", "$film -c:v libx264 -c:a aac last.mp4", kAlways, kAlways, kNever},
      {"first.mp4", "ffmpeg", "$film -c:v libx264 -c:a aac -movflags faststart first.mp4", kAlways,
       kPerhaps, kNever},
      {"parts.mp4", "ffmpeg",
       "$film -c:v libx264 -c:a aac -g 5 -movflags frag_keyframe+empty_moov parts.mp4", kPerhaps,
       kPerhaps, kPerhaps},
      {"prores.mov", "ffmpeg", "$film -c:v prores_ks -c:a pcm_s16le prores.mov", kAlways, kAlways,
       kNever},
      {"silence.mov", "ffmpeg",
       "$ffmpeg -f lavfi -i anullsrc -t 2 -c:a pcm_s16le -movflags faststart silence.mov", kAlways,
       kNever, kNever},
      {"voice.m4a", "ffmpeg", "$ffmpeg -i voice.wav -c:a aac voice.m4a", kAlways, kAlways, kNever},
      {"phone.3gp", "ffmpeg", "$film -c:v mpeg4 -c:a aac phone.3gp", kAlways, kAlways, kNever},
      {"film.mxf", "ffmpeg", "$film -c:v mpeg2video -c:a pcm_s16le -ar 48000 film.mxf", kAlways,
       kAlways, kNever},
      {"piped.mxf", "ffmpeg",
       "$film -c:v mpeg2video -c:a pcm_s16le -ar 48000 -f mxf - | cat > piped.mxf", kAlways,
       kAlways, kNever},
      {"voice2.wav", "ffmpeg", "$ffmpeg -i voice.wav -c:a pcm_s24le voice2.wav", kAlways, kNever,
       kNever},
      {"silence.wav", "ffmpeg", "$ffmpeg -f lavfi -i anullsrc -t 1 silence.wav", kAlways, kNever,
       kNever},
      {"large.rf64", "ffmpeg", "$ffmpeg -i voice.wav -rf64 always -f wav large.rf64", kAlways,
       kNever, kNever},
      {"bext.wav", "ffmpeg", "$ffmpeg -i voice.wav -write_bext 1 -metadata description=x bext.wav",
       kAlways, kNever, kNever},
      {"film.mkv", "ffmpeg", "$film -c:v libx264 -c:a aac film.mkv", kAlways, kAlways, kNever},
      {"film.webm", "ffmpeg", "$film -c:v libvpx -c:a libopus film.webm", kAlways, kAlways, kNever},
      {"live.mkv", "ffmpeg", "$film -c:v libx264 -c:a aac -f matroska - | cat > live.mkv", kPerhaps,
       kPerhaps, kNever},
      {"voice.mp3", "ffmpeg", "$ffmpeg -i voice.wav voice.mp3", kNever, kNever, kNever},
      // Pictures
      {"ffmpeg.jpg", "ffmpeg", "$ffmpeg -i picture.ppm ffmpeg.jpg", kAlways, kAlways, kNever},
      {"plain.jpg", "Pillow", "$pillow plain.jpg", kAlways, kAlways, kNever},
      {"progressive.jpg", "Pillow", "$pillow progressive.jpg progressive=True", kAlways, kAlways,
       kNever},
      {"ffmpeg.png", "ffmpeg", "$ffmpeg -i picture.ppm ffmpeg.png", kAlways, kAlways, kAlways},
      {"plain.png", "Pillow", "$pillow plain.png", kAlways, kAlways, kPerhaps},
      {"ffmpeg.tif", "ffmpeg", "$ffmpeg -i picture.ppm ffmpeg.tif", kAlways, kAlways, kNever},
      {"plain.tiff", "Pillow", "$pillow plain.tiff", kAlways, kPerhaps, kPerhaps},
      {"packed.tif", "Pillow", "$pillow packed.tif 'compression=\"tiff_deflate\"'", kAlways,
       kPerhaps, kPerhaps},
      {"pages.tif", "Pillow", "$pillow pages.tif 'save_all=True,append_images=[i,i]'", kAlways,
       kPerhaps, kPerhaps},
      {"large.tif", "Pillow", "$pillow large.tif big_tiff=True", kAlways, kPerhaps, kPerhaps},
      {"tiles.tif", "ImageMagick", "convert picture.ppm -define tiff:tile-geometry=64x64 tiles.tif",
       kAlways, kPerhaps, kPerhaps},
      // Documents and archives
      {"picture.pdf", "Pillow", "$pillow picture.pdf", kAlways, kAlways, kPerhaps},
      {"text.pdf", "python3", "$python pdf text.pdf", kAlways, kAlways, kPerhaps},
      {"many.zip", "python3", "$python zip many.zip", kAlways, kAlways, kAlways},
      {"letter.docx", "python3", "$python zip letter.docx", kAlways, kAlways, kAlways},
      {"streamed.zip", "zip", "zip -q - text noise voice.wav | cat > streamed.zip", kAlways,
       kAlways, kPerhaps},
      {"seven.zip", "7z", "7z a seven.zip text noise voice.wav", kAlways, kAlways, kPerhaps},
      {"plain.tar", "tar", "tar cf plain.tar text noise voice.wav", kPerhaps, kNever, kNever},
      {"pax.tar", "python3", "$python tar pax.tar", kPerhaps, kNever, kNever},
      {"empty.tar", "tar", "tar cf empty.tar -T /dev/null", kNever, kNever, kNever},
      {"sparse.tar", "tar",
       "truncate -s 1M thin && cat text >> thin && tar cSf sparse.tar thin text", kPerhaps, kNever,
       kNever},
      {"text.gz", "gzip", "gzip -c text > text.gz", kNever, kNever, kNever},
      {"all.tgz", "tar", "tar czf all.tgz text noise", kNever, kNever, kNever},
      {"text.xz", "xz", "xz -c text > text.xz", kAlways, kAlways, kNever},
      {"all.txz", "tar", "tar cJf all.txz text noise", kAlways, kAlways, kNever},
      {"text.bz2", "bzip2", "bzip2 -c text > text.bz2", kNever, kNever, kNever},
      {"text.zst", "zstd", "zstd -q -c text > text.zst", kNever, kNever, kNever},
      {"many.7z", "7z", "7z a many.7z text noise", kNever, kNever, kNever},
  };
  return samples;
}

void Prepare(std::filesystem::path const& directory) {
  tusfs_testing::WriteFile(directory / "noise", tusfs_testing::RandomBytes(30'000, 2));
  std::string text;
  for (int line = 0; line < 4000; ++line) text += "line " + std::to_string(line * line) + "\n";
  tusfs_testing::WriteFile(directory / "text", text);
  // 200 by 150, half noise: a picture that does not shrink to nothing.
  tusfs_testing::WriteFile(
      directory / "picture.ppm",
      "P6\n200 150\n255\n" + std::string(45'000, 'x') + tusfs_testing::RandomBytes(45'000, 3));
  // A second of 16 bits, 22,050 each.
  auto const sound = tusfs_testing::RandomBytes(44'100, 4);
  auto const number = [](std::uint32_t value) {
    return std::string(reinterpret_cast<char const*>(&value), 4);
  };
  tusfs_testing::WriteFile(directory / "voice.wav",
                           "RIFF" + number(36 + 44'100) + "WAVEfmt " + number(16) +
                               std::string("\1\0\1\0", 4) + number(22'050) + number(44'100) +
                               std::string("\2\0\x10\0", 4) + "data" + number(44'100) + sound);
  tusfs_testing::WriteFile(directory / "picture.py", R"(
import sys
from PIL import Image
i = Image.open('picture.ppm')
eval('i.save(sys.argv[1], %s)' % ' '.join(sys.argv[2:]))
)");
  tusfs_testing::WriteFile(directory / "make.py", R"(
import sys, tarfile, zipfile
kind, name = sys.argv[1:]
if kind == 'zip':
    with zipfile.ZipFile(name, 'w') as archive:
        for i in range(60):
            archive.writestr('member%d' % i, b'0123456789abcdef' * 20)
elif kind == 'pdf':
    page = b''.join(b'BT /F1 9 Tf 72 %d Td (line %d) Tj ET\n' % (y, y) for y in range(72, 720, 2))
    objects = [b'<</Type/Catalog/Pages 2 0 R>>', b'<</Type/Pages/Kids[3 0 R]/Count 1>>',
               b'<</Type/Page/Parent 2 0 R/Contents 4 0 R/MediaBox[0 0 612 792]/Resources<<>>>>',
               b'<</Length %d>>stream\n%sendstream' % (len(page), page)]
    body, table = b'%PDF-1.4\n', b'0000000000 65535 f \n'
    for number, text in enumerate(objects, 1):
        table += b'%010d 00000 n \n' % len(body)
        body += b'%d 0 obj%sendobj\n' % (number, text)
    with open(name, 'wb') as file:
        file.write(body + b'xref\n0 5\n' + table + b'trailer<</Size 5/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n' % len(body))
else:
    with tarfile.open(name, 'w', format=tarfile.PAX_FORMAT) as archive:
        for member in ('text', 'noise'):
            archive.add(member, 'x' * 150 + member)
)");
}

std::string Make(Sample const& sample, std::filesystem::path const& directory) {
  if (!IsThere(sample.program)) return {};
  auto const done = RunProgram(
      {"sh", "-ec",
       "cd \"$0\"\n"
       "ffmpeg='ffmpeg -nostdin -v error -y'\n"
       "film=\"$ffmpeg -f lavfi -i testsrc2=s=160x120:r=25:d=1 -i voice.wav -pix_fmt yuv420p "
       "-shortest\"\n"
       "python='python3 make.py'\n"
       "pillow='python3 picture.py'\n" +
           std::string(sample.made_by),
       directory.string()});
  EXPECT_EQ(done.code, 0) << sample.name << ": " << done.err;
  return done.code == 0 ? tusfs_testing::ReadFile(directory / sample.name) : std::string();
}

}  // namespace tusfs
