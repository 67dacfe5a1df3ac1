#include <algorithm>
#include <array>
#include <vector>

#include "content/formats.h"

namespace tusfs::content {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t kMostDirectories = 64;
constexpr std::uint64_t kMostEntries = 1024;
constexpr std::uint64_t kMostValues = 1024;

enum Tag : std::uint64_t {
  kStripOffsets = 273,
  kStripByteCounts = 279,
  kTileOffsets = 324,
  kTileByteCounts = 325,
  kSubDirectories = 330,
};

/// Bytes of a number of this type; 0 for what is no offset and no count.
std::uint64_t WidthOf(std::uint64_t type) {
  switch (type) {
    case 3:
      return 2;
    case 4:
    case 13:
      return 4;
    case 16:
    case 18:
      return 8;
    default:
      return 0;
  }
}

class Tiff {
 public:
  Tiff(Reader& file, std::string_view head)
      : file_(file), is_little_(head[0] == 'I'), is_big_(Number(head, 2, 2) == 43) {}

  Verdict Judge(std::string_view head) {
    auto const first = is_big_ ? Number(head, 8, 8) : Number(head, 4, 4);
    if (first == 0) return "has no directory: it was not finished";
    directories_ = {first};
    for (std::size_t i = 0; i < std::min(directories_.size(), kMostDirectories); ++i) {
      if (auto why = JudgeDirectory(directories_[i], i == 0)) return why;
    }
    return std::nullopt;
  }

 private:
  struct Values {
    std::uint64_t first = 0;  ///< the number of the first that is here: of many, the last are
    std::vector<std::uint64_t> numbers;
  };

  [[nodiscard]] std::uint64_t Number(std::string_view bytes, std::uint64_t at,
                                     std::uint64_t length) const {
    return is_little_ ? LittleEndian(bytes, at, length) : BigEndian(bytes, at, length);
  }

  Verdict JudgeDirectory(std::uint64_t at, bool is_first) {
    auto const width = is_big_ ? std::uint64_t{8} : 2;
    auto const entry_size = is_big_ ? std::uint64_t{20} : 12;
    auto const link = is_big_ ? std::uint64_t{8} : 4;
    if (!file_.Has(at, width)) return SaysMore("its directory", Plus(at, width), file_.size());
    auto const count = Number(file_.At(at, width), 0, width);
    if (count == 0) return is_first ? Verdict("has an empty directory") : std::nullopt;
    if (count > kMostEntries) return std::nullopt;
    auto const length = count * entry_size;
    auto const entries = file_.At(at + width, length);
    if (entries.empty()) {
      return SaysMore("its directory", Plus(at, width + length), file_.size());
    }
    if (auto const next = file_.At(at + width + length, link); !next.empty()) {
      if (auto const offset = Number(next, 0, link); offset != 0) directories_.push_back(offset);
    }
    return JudgeData(entries, entry_size);
  }

  Verdict JudgeData(std::string const& entries, std::uint64_t entry_size) {
    Values strips, strip_sizes, tiles, tile_sizes, children;
    for (std::uint64_t at = 0; at < entries.size(); at += entry_size) {
      auto const entry = std::string_view(entries).substr(at, entry_size);
      auto* const wanted = [&]() -> Values* {
        switch (Number(entry, 0, 2)) {
          case kStripOffsets:
            return &strips;
          case kStripByteCounts:
            return &strip_sizes;
          case kTileOffsets:
            return &tiles;
          case kTileByteCounts:
            return &tile_sizes;
          case kSubDirectories:
            return &children;
          default:
            return nullptr;
        }
      }();
      if (wanted == nullptr) continue;
      if (auto why = Read(entry, *wanted)) return why;
    }
    directories_.insert(directories_.end(), children.numbers.begin(), children.numbers.end());
    if (auto why = JudgePieces(strips, strip_sizes)) return why;
    return JudgePieces(tiles, tile_sizes);
  }

  Verdict Read(std::string_view entry, Values& values) {
    auto const width = WidthOf(Number(entry, 2, 2));
    auto const field = is_big_ ? std::uint64_t{8} : 4;
    auto const count = Number(entry, 4, field);
    if (width == 0 || count == 0 || count > file_.size() / width) return std::nullopt;
    std::string bytes(entry.substr(4 + field));
    if (count * width > field) {
      auto const begin = Number(bytes, 0, field);
      if (!file_.Has(begin, count * width)) {
        return SaysMore("its directory", Plus(begin, count * width), file_.size());
      }
      values.first = count - std::min(count, kMostValues);
      bytes = file_.At(begin + values.first * width, (count - values.first) * width);
    }
    for (std::uint64_t i = 0; i < count - values.first && !bytes.empty(); ++i) {
      values.numbers.push_back(Number(bytes, i * width, width));
    }
    return std::nullopt;
  }

  Verdict JudgePieces(Values const& offsets, Values const& sizes) {
    bool const is_paired =
        offsets.first == sizes.first && offsets.numbers.size() == sizes.numbers.size();
    for (std::size_t i = 0; i < offsets.numbers.size(); ++i) {
      auto const end = Plus(offsets.numbers[i], is_paired ? sizes.numbers[i] : 0);
      if (end > file_.size()) return SaysMore("its directory", end, file_.size());
    }
    return std::nullopt;
  }

  Reader& file_;
  bool const is_little_;
  bool const is_big_;
  std::vector<std::uint64_t> directories_;
};

}  // namespace

Verdict JudgeTiff(Reader& file) {
  auto const head = file.UpTo(0, 16);
  constexpr std::array kMagics{"II*\0"sv, "MM\0*"sv, "II+\0"sv, "MM\0+"sv};
  bool const is_tiff = std::any_of(kMagics.begin(), kMagics.end(),
                                   [&](std::string_view magic) { return head.starts_with(magic); });
  if (!is_tiff) return std::nullopt;
  if (head.size() < 16) return "ends within its header";
  return Tiff(file, head).Judge(head);
}

}  // namespace tusfs::content
