#include <algorithm>
#include <array>
#include <bit>

#include "content/formats.h"

namespace tusfs::content {
namespace {

constexpr std::uint64_t kEbml = 0x1a45dfa3;
constexpr std::uint64_t kSegment = 0x18538067;
constexpr std::uint64_t kCluster = 0x1f43b675;
constexpr std::uint64_t kCues = 0x1c53bb6b;
constexpr std::uint64_t kVoid = 0xec;
constexpr std::uint64_t kSeekHead = 0x114d9b74;
constexpr std::uint64_t kSeek = 0x4dbb;
constexpr std::uint64_t kSeekPosition = 0x53ac;
/// What else stands in a Segment, and in a Cluster.
constexpr std::array<std::uint64_t, 14> kOthers{
    kSeekHead, 0x1549a966, 0x1654ae6b, 0x1254c367, 0x1043a770, 0x1941a469, 0xbf,
    0xe7,      0xa3,       0xa0,       0xab,       0xa7,       0x5854,     0xaf};
constexpr std::size_t kLongestHead = 12;

struct Element {
  std::uint64_t id = 0;
  std::uint64_t body = 0;             ///< where it begins
  std::optional<std::uint64_t> size;  ///< nothing: not known
};

/// How many bytes a number has that begins with `byte`; 9 where there is none such.
std::size_t LengthOfNumber(char byte) {
  return static_cast<std::size_t>(std::countl_zero(static_cast<unsigned char>(byte))) + 1;
}

enum class Head { kThere, kCut, kNone };

Head ElementAt(Reader& file, std::uint64_t at, Element& element) {
  auto const bytes = file.UpTo(at, kLongestHead);
  if (bytes.empty()) return Head::kNone;
  auto const id_length = LengthOfNumber(bytes[0]);
  if (id_length > 4) return Head::kNone;
  if (bytes.size() <= id_length) return Head::kCut;
  auto const length = LengthOfNumber(bytes[id_length]);
  if (length > 8) return Head::kNone;
  if (bytes.size() < id_length + length) return Head::kCut;
  auto const most = (std::uint64_t{1} << (7 * length)) - 1;
  auto const size = BigEndian(bytes, id_length, length) & most;
  element = {BigEndian(bytes, 0, id_length), at + id_length + length,
             size == most ? std::nullopt : std::optional(size)};
  return Head::kThere;
}

/// What the first element of a Segment, if it is a SeekHead, leads to.
Verdict JudgeSeekHead(Reader& file, std::uint64_t segment) {
  Element list;
  if (ElementAt(file, segment, list) != Head::kThere || list.id != kSeekHead || !list.size) {
    return std::nullopt;
  }
  auto const end = Plus(list.body, *list.size);
  for (auto at = list.body; at < end;) {
    Element element;
    if (ElementAt(file, at, element) != Head::kThere || !element.size) break;
    at = element.id == kSeek ? element.body : Plus(element.body, *element.size);
    if (element.id != kSeekPosition || *element.size > 8) continue;
    auto const bytes = file.At(element.body, *element.size);
    auto const place = Plus(segment, BigEndian(bytes, 0, bytes.size()));
    if (IsZero(file.At(place, 8))) {
      return "has zeros where a part of it should begin, at " + AtByte(place);
    }
  }
  return std::nullopt;
}

/// Of a Segment whose size is not known: whoever cannot go back in his file writes such.
Verdict JudgeLive(Reader& file, std::uint64_t begin) {
  bool keeps_room = false;
  bool has_cues = false;
  for (auto at = begin; at < file.size();) {
    Element element;
    auto const head = ElementAt(file, at, element);
    if (head == Head::kCut) return "ends within the head of an element";
    if (head == Head::kNone) break;
    bool const is_known = element.id == kCluster || element.id == kCues || element.id == kVoid ||
                          std::find(kOthers.begin(), kOthers.end(), element.id) != kOthers.end();
    if (!is_known) break;
    if (at == begin) keeps_room = element.id == kVoid;
    has_cues = has_cues || element.id == kCues;
    auto const end = Plus(element.body, element.size.value_or(0));
    if (end > file.size()) return SaysMore("its last element", end, file.size());
    at = end;
  }
  if (keeps_room && !has_cues)
    return "was not finished: the room that was kept for its index is empty";
  return std::nullopt;
}

}  // namespace

Verdict JudgeMatroska(Reader& file) {
  Element element;
  if (ElementAt(file, 0, element) != Head::kThere || element.id != kEbml || !element.size) {
    return std::nullopt;
  }
  auto at = Plus(element.body, *element.size);
  if (at >= file.size()) return "ends within its header";
  if (ElementAt(file, at, element) == Head::kCut) return "ends within its header";
  if (element.id == kVoid && element.size) {
    at = Plus(element.body, *element.size);
    if (ElementAt(file, at, element) == Head::kCut) return "ends within its header";
  }
  if (element.id != kSegment) return std::nullopt;
  if (!element.size) return JudgeLive(file, element.body);
  auto const body = element.body;
  auto const end = Plus(body, *element.size);
  if (end > file.size()) return SaysMore("its Segment", end, file.size());
  return JudgeSeekHead(file, body);
}

}  // namespace tusfs::content
