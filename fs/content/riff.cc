#include "content/formats.h"

namespace tusfs::content {
namespace {

constexpr std::uint64_t kUnknown32 = 0xffffffff;
/// Some count their own header or a byte of padding that is not there.
constexpr std::uint64_t kMiscounted = 9;
constexpr std::uint64_t kMoreThanATag = 4096;  // behind a recording that is empty indeed

constexpr char const* kNotFinished = "its writer never filled in how much data there is";

/// In bytes, of a ds64.
struct LargeSizes {
  std::uint64_t riff = 0;
  std::uint64_t data = 0;
};

Verdict JudgeData(Reader& file, std::uint64_t begin, std::uint64_t said, bool is_last) {
  auto const behind = file.size() - begin;
  if (said == 0 && is_last && behind >= kMoreThanATag) return kNotFinished;
  if (said <= behind + kMiscounted) return std::nullopt;
  return SaysMore("its data", Plus(begin, said), file.size());
}

}  // namespace

Verdict JudgeRiff(Reader& file) {
  auto const head = file.At(0, 12);
  auto const kind = head.substr(0, 4);
  bool const is_large = kind == "RF64" || kind == "BW64";
  if (!head.ends_with("WAVE") || (kind != "RIFF" && !is_large)) return std::nullopt;
  auto riff = LittleEndian(head, 4, 4);
  std::optional<LargeSizes> large;
  std::uint64_t at = head.size();
  while (true) {
    auto const chunk = file.At(at, 8);
    if (chunk.empty()) break;
    auto const id = chunk.substr(0, 4);
    auto size = LittleEndian(chunk, 4, 4);
    at += chunk.size();
    if (is_large && id == "ds64") {
      auto const sizes = file.At(at, 16);
      if (sizes.empty()) return "ends within its header";
      large = LargeSizes{LittleEndian(sizes, 0, 8), LittleEndian(sizes, 8, 8)};
      riff = large->riff;
    } else if (id == "data") {
      if (size == kUnknown32 && !large) return kNotFinished;
      if (size == kUnknown32) size = large->data;
      // Nothing behind the data counts where the file ends with it by its own account.
      if (auto why = JudgeData(file, at, size, riff <= at + kMiscounted)) return why;
    }
    at = Plus(Plus(at, size), size % 2);
  }
  if (riff == kUnknown32) return kNotFinished;
  auto const end = Plus(riff, 8);
  return end > Plus(file.size(), kMiscounted) ? Verdict(SaysMore("its header", end, file.size()))
                                              : std::nullopt;
}

}  // namespace tusfs::content
