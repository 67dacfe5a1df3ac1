#include "proof/words.h"

namespace tusfs {

std::string_view NameOf(Fate fate) {
  switch (fate) {
    case Fate::kUploaded:
      return "uploaded";
    case Fate::kAccepted:
      return "accepted";
    case Fate::kUnconfirmed:
      return "unconfirmed";
    case Fate::kRefused:
      return "refused";
    case Fate::kDiscarded:
      return "discarded";
    case Fate::kDropped:
      return "dropped";
    case Fate::kRemoved:
      return "removed";
  }
  return "";
}

std::optional<Fate> FateOf(std::string_view name) {
  for (auto number = static_cast<std::uint8_t>(Fate::kUploaded);
       number <= static_cast<std::uint8_t>(Fate::kRemoved); ++number) {
    if (NameOf(static_cast<Fate>(number)) == name) return static_cast<Fate>(number);
  }
  return std::nullopt;
}

std::string_view NameOf(ProvedBy proved) {
  switch (proved) {
    case ProvedBy::kNothing:
      return "";
    case ProvedBy::kOffset:
      return "offset";
    case ProvedBy::kHead:
      return "head";
    case ProvedBy::kDownload:
      return "download";
    case ProvedBy::kPerson:
      return "person";
  }
  return "";
}

}  // namespace tusfs
