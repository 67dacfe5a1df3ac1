#include <algorithm>

#include "content/formats.h"

namespace tusfs::content {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t kEndRecord = 22;
constexpr std::size_t kLongestComment = 65'535;
constexpr std::uint64_t kMostMembers = 1024;
constexpr std::uint64_t kLargestSmall = 0xffffffff;  // of numbers, and what says: see elsewhere
constexpr auto kEndMagic = "PK\x05\x06"sv;
constexpr auto kMemberMagic = "PK\x03\x04"sv;
constexpr auto kDirectoryMagic = "PK\x01\x02"sv;

/// Where the central directory is, counted as the records count: what was put in front of an
/// archive later (a program that unpacks it) does not count for them.
struct Directory {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  std::uint64_t end = 0;  ///< in the file: what follows it
  std::uint64_t members = 0;
};

/// The last end record in `tail` whose comment is there.
std::optional<std::size_t> FindEndRecord(std::string_view tail) {
  for (auto at = tail.rfind(kEndMagic); at != std::string_view::npos;) {
    if (tail.size() - at >= kEndRecord &&
        LittleEndian(tail, at + 20, 2) <= tail.size() - at - kEndRecord) {
      return at;
    }
    if (at == 0) break;
    at = tail.rfind(kEndMagic, at - 1);
  }
  return std::nullopt;
}

/// As the record of a large archive says, which a locator in front of the end record leads to.
std::optional<Directory> LargeDirectory(Reader& file, std::uint64_t end_record) {
  constexpr std::uint64_t kLocator = 20;
  constexpr std::size_t kRecord = 56;
  if (end_record < kLocator + kRecord) return std::nullopt;
  if (!file.At(end_record - kLocator, 4).starts_with("PK\x06\x07")) return std::nullopt;
  // It stands right in front of the locator, unless somebody has added to it.
  auto const at = end_record - kLocator - kRecord;
  auto const record = file.At(at, kRecord);
  if (!record.starts_with("PK\x06\x06")) return std::nullopt;
  return Directory{LittleEndian(record, 48, 8), LittleEndian(record, 40, 8), at,
                   LittleEndian(record, 32, 8)};
}

/// What the end record says, or a larger one; nothing where that cannot be followed.
std::optional<Directory> DirectoryOf(Reader& file, std::uint64_t at, std::string_view record) {
  bool const is_split = LittleEndian(record, 4, 2) != LittleEndian(record, 6, 2) ||
                        (LittleEndian(record, 4, 2) != 0 && LittleEndian(record, 4, 2) != 0xffff);
  if (is_split) return std::nullopt;
  Directory const small{LittleEndian(record, 16, 4), LittleEndian(record, 12, 4), at,
                        LittleEndian(record, 10, 2)};
  bool const is_large =
      small.offset == kLargestSmall || small.size == kLargestSmall || small.members == 0xffff;
  return is_large ? LargeDirectory(file, at) : std::optional(small);
}

/// The members that the central directory names begin where it says.
Verdict JudgeMembers(Reader& file, Directory const& directory, std::uint64_t in_front) {
  constexpr std::size_t kEntry = 46;
  auto at = in_front + directory.offset;
  for (std::uint64_t i = 0; i < std::min(directory.members, kMostMembers); ++i) {
    auto const entry = file.At(at, kEntry);
    if (IsZero(entry)) return "has zeros in its central directory, at " + AtByte(at);
    if (!entry.starts_with(kDirectoryMagic)) return std::nullopt;
    auto const member = Plus(in_front, LittleEndian(entry, 42, 4));
    if (LittleEndian(entry, 42, 4) != kLargestSmall &&
        IsZero(file.At(member, kMemberMagic.size()))) {
      return "has zeros where a member should be, at " + AtByte(member);
    }
    at += kEntry + LittleEndian(entry, 28, 2) + LittleEndian(entry, 30, 2) +
          LittleEndian(entry, 32, 2);
  }
  return std::nullopt;
}

bool LooksLikeZip(Reader& file) {
  auto const head = file.UpTo(0, 4);
  return head == kMemberMagic || head == kEndMagic || head == "PK\x07\x08"sv || IsZero(head);
}

}  // namespace

Verdict JudgeZip(Reader& file) {
  auto const tail = file.Tail(kEndRecord + kLongestComment);
  auto const found = FindEndRecord(tail);
  if (!found) {
    if (!LooksLikeZip(file)) return std::nullopt;
    return IsZero(tail) ? "ends in zeros, where its central directory should be"
                        : "has no central directory at its end";
  }
  auto const record_at = file.size() - tail.size() + *found;
  auto const directory =
      DirectoryOf(file, record_at, std::string_view(tail).substr(*found, kEndRecord));
  if (!directory || directory->members == 0) return std::nullopt;
  // Some write what is larger than their numbers all the same.
  if (directory->end == record_at && record_at > kLargestSmall) return std::nullopt;
  auto const needed = Plus(directory->offset, directory->size);
  if (needed > directory->end) return SaysMore("its end record", needed, directory->end);
  // Where the directory is said to be; else right in front of its end.
  if (file.At(directory->offset, 4) == kDirectoryMagic) return JudgeMembers(file, *directory, 0);
  return JudgeMembers(file, *directory, directory->end - needed);
}

}  // namespace tusfs::content
