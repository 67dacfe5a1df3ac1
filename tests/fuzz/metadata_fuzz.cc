// Upload-Metadata as others sent it, as a user gives it, and as templates make it.
//
// An input is all three at once: a header's value; lines "key=value"; the same as templates.
#include <string>

#include "fuzz_target.h"
#include "tusclient/metadata.h"
#include "tusclient/preset.h"

namespace tus {
namespace {

using fuzz::Require;

void RequireThatItComesBack(Metadata const& metadata) {
  auto const header = EncodeMetadata(metadata);
  Require(header.has_value(), "what was decoded can be encoded");
  for (char const c : *header) {
    Require(c >= ' ' && c <= '~', "a header's value is printable ASCII", *header);
  }
  auto const again = DecodeMetadata(*header);
  Require(again.has_value(), "what was encoded can be decoded", *header);
  Require(*again == metadata, "encoding loses nothing", *header);
}

void TryToDecode(std::string_view header) {
  auto const metadata = DecodeMetadata(header);
  if (metadata) return RequireThatItComesBack(*metadata);
  Require(metadata.error().code == ErrorCode::kProtocol, "a bad header is kProtocol");
  fuzz::RequirePresentable(metadata.error().message);
}

Metadata PairsOf(std::string_view text) {
  Metadata pairs;
  while (!text.empty()) {
    auto const line = fuzz::TakeLine(text);
    auto const equals = line.find('=');
    pairs.emplace_back(line.substr(0, equals),
                       equals == std::string_view::npos ? "" : line.substr(equals + 1));
  }
  return pairs;
}

void TryToEncode(Metadata const& pairs) {
  auto const header = EncodeMetadata(pairs);
  if (header) return RequireThatItComesBack(pairs);
  Require(header.error().code == ErrorCode::kInvalidArgument, "a bad key is kInvalidArgument");
  fuzz::RequirePresentable(header.error().message);
}

void TryToExpand(Metadata const& pairs) {
  std::vector<MetadataTemplate> templates;
  for (auto const& [key, value] : pairs) templates.push_back({key, value});
  if (auto const checked = CheckTemplates(templates); !checked) {
    Require(checked.error().code == ErrorCode::kInvalidArgument, "so is a bad template");
    return fuzz::RequirePresentable(checked.error().message);
  }
  auto const metadata = tus::Expand(
      templates,
      {.path = "take/42.mov", .type = "video/quicktime", .modified = -1, .size = 5, .id = "id"});
  RequireThatItComesBack(metadata);
  for (auto const& [key, value] : metadata) {
    Require(!value.empty(), "a value that is empty in the end is left out", key);
  }
}

}  // namespace
}  // namespace tus

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string_view const text(reinterpret_cast<char const*>(data), size);
  tus::TryToDecode(text);
  auto const pairs = tus::PairsOf(text);
  tus::TryToEncode(pairs);
  tus::TryToExpand(pairs);
  return 0;
}
