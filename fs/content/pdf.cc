#include <charconv>

#include "content/formats.h"

namespace tusfs::content {
namespace {

constexpr std::size_t kPdfHead = 1024;  // the header may stand behind something else

/// The number behind `word` and blanks; nothing where there is none.
std::optional<std::uint64_t> NumberBehind(std::string_view text, std::string_view word) {
  auto const digits = text.find_first_not_of(" \r\n\t", text.find(word) + word.size());
  if (digits == std::string_view::npos) return std::nullopt;
  std::uint64_t number = 0;
  auto const* const end = text.data() + text.size();
  if (std::from_chars(text.data() + digits, end, number).ec != std::errc()) return std::nullopt;
  return number;
}

/// What a linearized file says in its first object of its own length.
std::uint64_t LengthOfLinearized(std::string_view head) {
  auto const dictionary = head.find("/Linearized");
  if (dictionary == std::string_view::npos) return 0;
  auto const rest = head.substr(dictionary, head.find(">>", dictionary) - dictionary);
  for (std::string_view const key : {"/L ", "/L\n", "/L\r"}) {
    if (rest.find(key) != std::string_view::npos) return NumberBehind(rest, key).value_or(0);
  }
  return 0;
}

}  // namespace

Verdict JudgePdf(Reader& file) {
  auto const head = file.UpTo(0, kPdfHead);
  auto const header = head.find("%PDF-");
  if (header == std::string::npos) return std::nullopt;
  auto const length = LengthOfLinearized(head);
  if (length > file.size()) return SaysMore("its first object", length, file.size());
  auto const tail = file.Tail(kHollowTail);
  if (tail.size() == kHollowTail && IsZero(tail)) return EndsInZeros();
  auto const end = tail.rfind("%%EOF");
  if (end == std::string::npos) return "has no %%EOF at its end";
  auto const start = tail.rfind("startxref", end);
  if (start == std::string::npos) return std::nullopt;
  auto const table = NumberBehind(std::string_view(tail).substr(start, end - start), "startxref");
  if (!table) return std::nullopt;
  if (*table >= file.size()) return SaysMore("its startxref", *table, file.size());
  // Some count from the header on, others from the begin of the file.
  if (*table != 0 && IsZero(file.UpTo(*table, 32)) && IsZero(file.UpTo(*table + header, 32))) {
    return "has zeros where its cross-reference table should be, at " + AtByte(*table);
  }
  return std::nullopt;
}

}  // namespace tusfs::content
