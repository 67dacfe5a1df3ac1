#include <algorithm>
#include <cctype>

#include "content/formats.h"

namespace tusfs::content {
namespace {

constexpr std::string_view kSignature = "\x89PNG\r\n\x1a\n";
constexpr std::uint64_t kAroundData = 12;  // length, type, checksum
constexpr std::size_t kLookedBack = 524'288;

bool IsChunkType(std::string_view type) {
  return std::all_of(type.begin(), type.end(), [](char letter) {
    return std::isalpha(static_cast<unsigned char>(letter)) != 0;
  });
}

}  // namespace

Verdict JudgePng(Reader& file) {
  if (file.At(0, kSignature.size()) != kSignature) return std::nullopt;
  if (auto const tail = file.Tail(kHollowTail); tail.size() == kHollowTail && IsZero(tail)) {
    return file.Tail(kLookedBack).find("IEND") == std::string::npos ? Verdict(EndsInZeros())
                                                                    : std::nullopt;
  }
  auto at = std::uint64_t{kSignature.size()};
  while (true) {
    auto const header = file.At(at, 8);
    if (header.empty()) return "ends before its last chunk, IEND";
    auto const type = header.substr(4);
    if (!IsChunkType(type)) return "has no chunk at " + AtByte(at) + ", where one should be";
    auto const end = at + kAroundData + BigEndian(header, 0, 4);
    if (end > file.size()) return SaysMore("its " + type, end, file.size());
    if (type == "IEND") return std::nullopt;
    at = end;
  }
}

}  // namespace tusfs::content
