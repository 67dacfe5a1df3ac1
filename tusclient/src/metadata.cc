#include "tusclient/metadata.h"

#include <algorithm>
#include <cstdint>
#include <optional>

#include "base64.h"
#include "fail.h"
#include "text.h"

namespace tus {
namespace {

bool IsKey(std::string_view key) {
  return !key.empty() && std::all_of(key.begin(), key.end(),
                                     [](char c) { return c > ' ' && c <= '~' && c != ','; });
}

bool Contains(Metadata const& metadata, std::string_view key) {
  return std::any_of(metadata.begin(), metadata.end(),
                     [&](auto const& pair) { return pair.first == key; });
}

}  // namespace

Result<std::string> EncodeMetadata(Metadata const& metadata) {
  std::string header;
  Metadata seen;
  for (auto const& [key, value] : metadata) {
    if (!IsKey(key)) {
      return Fail(ErrorCode::kInvalidArgument,
                  "the metadata key \"" + FirstWords(key, 80) +
                      "\" is empty or has characters other than printable ASCII without space "
                      "and comma");
    }
    if (Contains(seen, key)) {
      return Fail(ErrorCode::kInvalidArgument, "the metadata key \"" + key + "\" is there twice");
    }
    seen.emplace_back(key, "");
    if (!header.empty()) header += ',';
    header += key;
    // Servers disagree about a space with nothing after it; all accept a key alone.
    if (!value.empty()) header += ' ' + EncodeBase64(value);
  }
  return header;
}

Result<Metadata> DecodeMetadata(std::string_view header) {
  Metadata metadata;
  if (Trim(header).empty()) return metadata;
  for (bool more = true; more;) {
    auto const comma = header.find(',');
    more = comma != std::string_view::npos;
    auto const pair = Trim(header.substr(0, comma));
    if (more) header.remove_prefix(comma + 1);

    auto const space = pair.find(' ');
    auto const key = pair.substr(0, space);
    auto const value =
        DecodeBase64(space == std::string_view::npos ? std::string_view{} : pair.substr(space + 1));
    if (!IsKey(key) || !value || Contains(metadata, key)) {
      return Fail(ErrorCode::kProtocol, "the server's Upload-Metadata cannot be decoded");
    }
    metadata.emplace_back(key, *value);
  }
  return metadata;
}

}  // namespace tus
