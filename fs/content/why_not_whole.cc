#include "content/why_not_whole.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <span>

#include "content/formats.h"

namespace tusfs {
namespace content {
namespace {

struct Format {
  std::string_view extensions;  ///< each between blanks
  /// So many zero bytes at its head no file of it has; 0: it may begin with any number.
  std::size_t zeros;
  Verdict (*judge)(Reader& file);
};

constexpr std::size_t kHead = 4096;
constexpr std::size_t kBehindRunIn = 65'536 + kHead;  // what may stand before an MXF header

constexpr Format kFormats[] = {
    {" mp4 m4v m4a m4b mov qt 3gp 3g2 ", kHead, JudgeIsoMedia},
    {" mxf ", kBehindRunIn, JudgeMxf},
    {" wav wave bwf rf64 ", kHead, JudgeRiff},
    {" mkv mka mk3d webm ", kHead, JudgeMatroska},
    {" jpg jpeg jpe jfif ", kHead, JudgeJpeg},
    {" png apng ", kHead, JudgePng},
    {" tif tiff dng ", kHead, JudgeTiff},
    {" pdf ", kHead, JudgePdf},
    {" zip docx xlsx pptx odt ods odp odg epub jar apk aar war ipa cbz kmz usdz 3mf idml ", 0,
     JudgeZip},
    {" tar ", 0, JudgeTar},
    {" gz tgz ", kHead, JudgeGzip},
    {" xz txz ", kHead, JudgeXz},
    {" bz2 tbz tbz2 zst tzst ", kHead, JudgeHeadAlone},
};

Format const* FormatOf(std::string_view name) {
  auto const dot = name.rfind('.');
  if (dot == std::string_view::npos) return nullptr;
  std::string extension(name.substr(dot + 1));
  if (extension.empty() || extension.find(' ') != std::string::npos) return nullptr;
  for (auto& letter : extension) {
    letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  }
  auto const word = " " + extension + " ";
  auto const* const found = std::find_if(
      std::begin(kFormats), std::end(kFormats),
      [&](Format const& format) { return format.extensions.find(word) != std::string_view::npos; });
  return found == std::end(kFormats) ? nullptr : found;
}

/// Reads the whole head only where its first bytes are zero.
Verdict BeginsWithZeros(Reader& file, std::size_t zeros) {
  if (zeros == 0 || !IsZero(file.UpTo(0, 16))) return std::nullopt;
  auto const head = file.UpTo(0, zeros);
  if (!IsZero(head)) return std::nullopt;
  return "begins with " + std::to_string(head.size()) + " zero bytes";
}

}  // namespace
}  // namespace content

Result<std::optional<std::string>> WhyNotWhole(ByteSource const& file, std::string_view name) {
  auto const* const format = content::FormatOf(name);
  if (format == nullptr) return std::nullopt;
  if (file.size() == 0) return "is empty";
  content::Reader reader(file);
  auto why = content::BeginsWithZeros(reader, format->zeros);
  if (!why) why = format->judge(reader);
  if (reader.failure()) return Failure(*reader.failure());
  if (reader.is_spent()) return std::nullopt;
  return why;
}

}  // namespace tusfs
