#include <algorithm>
#include <charconv>
#include <utility>

#include "content/formats.h"

namespace tusfs::content {
namespace {

constexpr std::uint64_t kBlock = 512;
constexpr std::uint64_t kMostPaxRecords = 16'384;
/// An empty archive is zeros alone, as many as its writer likes to write at once.
constexpr std::size_t kEmptyArchive = 69'632;

/// A number in octal, or in binary where its first bit is set; nothing where it is neither.
std::optional<std::uint64_t> SizeIn(std::string_view header) {
  auto field = header.substr(124, 12);
  if ((static_cast<unsigned char>(field[0]) & 0x80) != 0) {
    return field[0] == '\x80' ? std::optional(BigEndian(field, 4, 8)) : std::nullopt;
  }
  field = field.substr(std::min(field.find_first_not_of(' '), field.size()));
  std::uint64_t size = 0;
  auto const parsed = std::from_chars(field.data(), field.data() + field.size(), size, 8);
  return parsed.ec == std::errc() ? std::optional(size) : std::nullopt;
}

/// What the records in front of a member say of its size.
std::optional<std::uint64_t> SizeInPax(std::string const& records) {
  constexpr std::string_view kKey = " size=";
  auto const at = records.find(kKey);
  if (at == std::string::npos) return std::nullopt;
  std::uint64_t size = 0;
  auto const* const begin = records.data() + at + kKey.size();
  auto const parsed = std::from_chars(begin, records.data() + records.size(), size);
  return parsed.ec == std::errc() ? std::optional(size) : std::nullopt;
}

bool IsFile(char type) { return type == '0' || type == '7' || type == '\0'; }

/// Records and long names of the member that follows.
bool IsOfTheNext(char type) {
  return std::string_view("xgLK").find(type) != std::string_view::npos;
}

}  // namespace

Verdict JudgeTar(Reader& file) {
  if (IsZero(file.UpTo(0, kBlock))) {
    auto const head = file.At(0, kEmptyArchive);
    return IsZero(head) ? Verdict("begins with " + std::to_string(head.size()) + " zero bytes")
                        : std::nullopt;
  }
  std::optional<std::uint64_t> pax_size;
  for (std::uint64_t at = 0; at < file.size();) {
    auto const header = file.UpTo(at, kBlock);
    if (IsZero(header)) return std::nullopt;
    if (header.size() < kBlock) {
      return at == 0 ? std::nullopt : Verdict("ends within the header of a member");
    }
    if (header.substr(257, 5) != "ustar") return std::nullopt;
    auto const type = header[156];
    auto size = SizeIn(header);
    if (!size) return std::nullopt;
    if (IsFile(type)) size = std::exchange(pax_size, std::nullopt).value_or(*size);
    // Of others, their writer decides whether bytes follow.
    if (!IsFile(type) && !IsOfTheNext(type) && *size != 0) return std::nullopt;
    at += kBlock;
    if (*size > file.size() - at) return SaysMore("its last member", Plus(at, *size), file.size());
    if (type == 'x') pax_size = SizeInPax(file.UpTo(at, std::min(*size, kMostPaxRecords)));
    at = Plus(at, *size);
    at = Plus(at, (kBlock - at % kBlock) % kBlock);
  }
  return std::nullopt;
}

}  // namespace tusfs::content
