#include "content/formats.h"

namespace tusfs::content {
namespace {

constexpr std::uint64_t kLeastGzip = 18;  // header, an empty block, checksum and length
constexpr std::uint64_t kLeastXz = 32;    // header, an empty index, footer

}  // namespace

Verdict JudgeGzip(Reader& file) {
  if (!file.UpTo(0, 3).starts_with("\x1f\x8b\x08")) return std::nullopt;
  if (file.size() >= kLeastGzip) return std::nullopt;
  return "has " + SizeInWords(file.size()) + ", the smallest gzip file has 18";
}

Verdict JudgeXz(Reader& file) {
  using namespace std::string_view_literals;
  if (file.At(0, 6) !=
      "\xfd"
      "7zXZ\0"sv) {
    return std::nullopt;
  }
  if (file.size() < kLeastXz) {
    return "has " + SizeInWords(file.size()) + ", the smallest xz file has 32";
  }
  auto const tail = file.Tail(kHollowTail);
  auto const end = WithoutZerosBehind(tail);  // streams may be padded
  if (end.empty()) return EndsInZeros();
  if (end.ends_with("YZ")) return std::nullopt;
  return "does not end as an xz file does";
}

Verdict JudgeHeadAlone(Reader& /*file*/) { return std::nullopt; }

}  // namespace tusfs::content
