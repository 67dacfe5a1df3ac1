#include <algorithm>
#include <array>

#include "content/formats.h"

namespace tusfs::content {
namespace {

using namespace std::string_view_literals;

constexpr auto kEndOfImage = "\xff\xd9"sv;
constexpr auto kStuffed = "\xff\0"sv;  // how a byte FF of a picture is written
constexpr int kStartOfScan = 0xda;
constexpr std::size_t kLookedBackFromEnd = 524'288;
constexpr std::size_t kSample = 65'536;

/// Markers that stand alone.
bool HasNoLength(int marker) { return marker == 0x01 || (marker >= 0xd0 && marker <= 0xd8); }

/// What may stand behind an FF from the first scan up to the end of the image: a stuffed zero,
/// restarts, and what comes between scans.
bool IsWithinScans(int marker) {
  constexpr std::array kBetweenScans{0x00, 0xc4, 0xcc, 0xda, 0xdb, 0xdc, 0xdd, 0xfe, 0xff};
  return (marker >= 0xd0 && marker <= 0xd7) ||
         std::find(kBetweenScans.begin(), kBetweenScans.end(), marker) != kBetweenScans.end();
}

/// Whether nothing but compressed picture is there. Of other bytes every 250th or so tells.
bool IsPicture(std::string_view bytes) {
  for (auto at = bytes.find('\xff'); at != std::string_view::npos;
       at = bytes.find('\xff', at + 1)) {
    if (at + 1 == bytes.size()) return true;
    if (!IsWithinScans(static_cast<unsigned char>(bytes[at + 1]))) return false;
  }
  return true;
}

struct Scan {
  Verdict why_not{};         ///< there is none
  std::uint64_t begins = 0;  ///< nothing else: what is there is no marker
};

Scan FirstScan(Reader& file) {
  std::uint64_t at = 2;
  while (true) {
    auto const head = file.At(at, 4);
    if (head.empty()) return {"ends within its header"};
    if (head[0] != '\xff') return {};
    auto const marker = static_cast<unsigned char>(head[1]);
    if (marker == 0xff) {
      ++at;
    } else if (HasNoLength(marker)) {
      at += 2;
    } else {
      auto const end = at + 2 + BigEndian(head, 2, 2);
      if (end >= file.size()) return {"ends within its header"};
      if (marker == kStartOfScan) return {std::nullopt, end};
      at = end;
    }
  }
}

}  // namespace

Verdict JudgeJpeg(Reader& file) {
  if (file.At(0, 3) != "\xff\xd8\xff"sv) return std::nullopt;
  auto const scan = FirstScan(file);
  if (scan.begins == 0) return scan.why_not;
  auto const behind = file.size() - scan.begins;
  auto const tail = file.Tail(std::min<std::uint64_t>(behind, kLookedBackFromEnd));
  if (tail.rfind(kEndOfImage) != std::string::npos) return std::nullopt;
  std::string_view const last(tail.data() + tail.size() - std::min(tail.size(), kSample),
                              std::min(tail.size(), kSample));
  if (last.size() == kHollowTail && IsZero(last)) return EndsInZeros();
  // A film, or whatever else was appended; where some of it is not looked at, only what is a
  // picture for certain counts.
  if (!IsPicture(last)) return std::nullopt;
  bool const is_all = tail.size() == behind;
  if (!is_all && last.find(kStuffed) == std::string_view::npos) return std::nullopt;
  return "ends in the middle of the picture";
}

}  // namespace tusfs::content
