#include "content/formats.h"

namespace tusfs::content {
namespace {

using namespace std::string_view_literals;

// Keys of SMPTE 377-1: what all partitions and the random index pack have in common, but for the
// version of the register between.
constexpr auto kKeyBegins = "\x06\x0e\x2b\x34\x02\x05\x01"sv;
constexpr auto kKeyGoesOn = "\x0d\x01\x02\x01\x01"sv;
constexpr std::size_t kKey = 16;
constexpr char kHeaderPartition = 0x02;
constexpr char kFooterPartition = 0x04;
constexpr char kRandomIndexPack = 0x11;

constexpr std::size_t kRunIn = 65'536;
constexpr std::size_t kFooterLookedFor = 524'288;

bool IsKey(std::string_view bytes, char kind) {
  return bytes.size() >= kKey && bytes.starts_with(kKeyBegins) &&
         bytes.substr(kKeyBegins.size() + 1).starts_with(kKeyGoesOn) && bytes[13] == kind;
}

std::optional<std::uint64_t> FindKey(std::string_view bytes, char kind) {
  for (auto at = bytes.find(kKeyBegins); at != std::string_view::npos;
       at = bytes.find(kKeyBegins, at + 1)) {
    if (IsKey(bytes.substr(at), kind)) return at;
  }
  return std::nullopt;
}

struct Partition {
  bool is_open = false;
  std::uint64_t footer = 0;  ///< from the begin of the header partition; 0: not known
  std::uint64_t end = 0;     ///< of its header metadata and index
};

std::optional<Partition> PartitionAt(Reader& file, std::uint64_t at) {
  constexpr std::size_t kPack = 64;
  auto const bytes = file.At(at, kKey + 9 + kPack);
  if (bytes.empty()) return std::nullopt;
  auto const first = static_cast<unsigned char>(bytes[kKey]);
  std::size_t const more = first < 0x80 ? 0 : first & 0x7f;
  if (more > 8) return std::nullopt;
  auto const length = first < 0x80 ? first : BigEndian(bytes, kKey + 1, more);
  auto const pack = std::string_view(bytes).substr(kKey + 1 + more);
  auto const metadata = Plus(BigEndian(pack, 32, 8), BigEndian(pack, 40, 8));
  return Partition{bytes[14] == 1 || bytes[14] == 3, BigEndian(pack, 24, 8),
                   Plus(Plus(at + kKey + 1 + more, length), metadata)};
}

bool EndsWithRandomIndexPack(Reader& file) {
  auto const last = file.Tail(4);
  auto const length = BigEndian(last, 0, 4);
  return length > kKey && length <= file.size() &&
         IsKey(file.At(file.size() - length, kKey), kRandomIndexPack);
}

}  // namespace

Verdict JudgeMxf(Reader& file) {
  auto const header_at = FindKey(file.UpTo(0, kRunIn + kKey), kHeaderPartition);
  if (!header_at || EndsWithRandomIndexPack(file)) return std::nullopt;
  auto const header = PartitionAt(file, *header_at);
  if (!header) return "ends within its header";
  if (header->footer == 0) {
    if (!header->is_open) return std::nullopt;
    if (FindKey(file.Tail(kFooterLookedFor), kFooterPartition)) return std::nullopt;
    return "has an open header and no footer: it was not finished";
  }
  auto const footer_at = Plus(*header_at, header->footer);
  if (!file.Has(footer_at, kKey)) return SaysMore("its header", footer_at, file.size());
  auto const key = file.At(footer_at, kKey);
  if (IsZero(key)) return "has zeros where its footer should be, at " + AtByte(footer_at);
  if (!IsKey(key, kFooterPartition)) return std::nullopt;
  auto const footer = PartitionAt(file, footer_at);
  if (!footer) return "ends within its footer";
  if (footer->end > file.size()) return SaysMore("its footer", footer->end, file.size());
  return std::nullopt;
}

}  // namespace tusfs::content
