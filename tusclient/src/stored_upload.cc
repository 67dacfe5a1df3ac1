#include "stored_upload.h"

#include <chrono>
#include <functional>
#include <map>
#include <utility>

#include "hex.h"
#include "text.h"

// A record is lines of "key value", in which a backslash makes \n of a line break and \\ of itself,
// and ends with the line "end": a file that was cut has none.

namespace tus {
namespace {

constexpr std::string_view kFirstLine = "tusclient upload 1";
constexpr std::string_view kLastLine = "end";

std::string Escape(std::string_view text) {
  std::string escaped;
  for (char const c : text) {
    if (c == '\\') escaped += "\\\\";
    if (c == '\n') escaped += "\\n";
    if (c != '\\' && c != '\n') escaped += c;
  }
  return escaped;
}

std::string Unescape(std::string_view text) {
  std::string plain;
  for (std::size_t at = 0; at < text.size(); ++at) {
    bool const escaped = text[at] == '\\' && at + 1 < text.size();
    if (escaped) ++at;
    plain += escaped && text[at] == 'n' ? '\n' : text[at];
  }
  return plain;
}

}  // namespace

std::string EncodeRecord(std::string const& fingerprint, StoredUpload const& upload) {
  std::string text;
  auto const add = [&](std::string_view key, std::string_view value) {
    text.append(key).append(" ").append(value).append("\n");
  };
  text.append(kFirstLine).append("\n");
  add("fingerprint", Escape(fingerprint));
  add("url", Escape(upload.url));
  if (upload.length) add("length", std::to_string(*upload.length));
  if (upload.final_sent) add("final_sent", "1");
  if (upload.expires) {
    add("expires", std::to_string(std::chrono::system_clock::to_time_t(*upload.expires)));
  }
  if (!upload.checked_sha256.empty()) {
    add("checked_length", std::to_string(upload.checked_length));
    add("checked_sha256", EncodeHex(upload.checked_sha256));
  }
  return text.append(kLastLine).append("\n");
}

std::optional<StoredUpload> DecodeRecord(std::string_view text, std::string const& fingerprint) {
  std::map<std::string, std::string, std::less<>> values;
  bool first = true;
  bool ended = false;
  while (!text.empty() && !ended) {
    auto const end = text.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    auto const line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (std::exchange(first, false)) {
      if (line != kFirstLine) return std::nullopt;
      continue;
    }
    ended = line == kLastLine;
    auto const space = line.find(' ');
    if (space == std::string_view::npos) continue;
    values.emplace(line.substr(0, space), Unescape(line.substr(space + 1)));
  }
  if (!ended || values["fingerprint"] != fingerprint || values["url"].empty()) return std::nullopt;

  StoredUpload upload;
  upload.url = values["url"];
  upload.length = ParseDecimal(values["length"]);
  upload.final_sent = values.contains("final_sent");
  if (auto const expires = ParseDecimal(values["expires"])) upload.expires = TimeOf(*expires);
  upload.checked_length = ParseDecimal(values["checked_length"]).value_or(0);
  auto const digest = DecodeHex(values["checked_sha256"]);
  if (!digest) return std::nullopt;
  upload.checked_sha256 = *digest;
  return upload;
}

}  // namespace tus
