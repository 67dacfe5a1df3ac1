#include "stored_upload.h"

#include <chrono>
#include <functional>
#include <map>
#include <utility>

#include "text.h"
#include "tusclient/hex.h"

// A record is lines of "key value", in which a backslash makes \n of a line break and \\ of itself,
// and ends with the line "end": a file that was cut has none. Keys that are not known are passed
// over, values that cannot be right spoil the record: half of what is known of an upload is a trap.

namespace tus {
namespace {

constexpr std::string_view kFirstLine = "tusclient upload 1";
constexpr std::string_view kLastLine = "end";
constexpr std::size_t kDigestSize = 32;  // bytes of a SHA-256

using End = UploadFacts::End;

/// As in the record; nothing of the two that "final_sent" tells by being there or not.
std::string_view NameOf(End end) {
  switch (end) {
    case End::kRefused:
      return "refused";
    case End::kMissed:
      return "missed";
    case End::kFailed:
      return "failed";
    case End::kNotSent:
    case End::kSent:
      break;
  }
  return {};
}

/// What has another name was answered in a way that is not known here.
End EndOf(std::string_view name) {
  for (auto const end : {End::kRefused, End::kMissed, End::kFailed}) {
    if (NameOf(end) == name) return end;
  }
  return End::kSent;
}

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

using Values = std::map<std::string, std::string, std::less<>>;

/// Nothing where there is no whole record.
std::optional<Values> ReadLines(std::string_view text) {
  Values values;
  bool first = true;
  while (true) {
    auto const end = text.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    auto const line = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (std::exchange(first, false)) {
      if (line != kFirstLine) return std::nullopt;
      continue;
    }
    if (line == kLastLine) return values;
    auto const space = line.find(' ');
    if (space == std::string_view::npos) continue;
    values.emplace(line.substr(0, space), Unescape(line.substr(space + 1)));
  }
}

/// False for what is there and no number.
bool ReadNumber(Values const& values, std::string_view key, std::optional<std::uint64_t>& number) {
  auto const at = values.find(key);
  if (at == values.end()) return true;
  number = ParseDecimal(at->second);
  return number.has_value();
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
  if (upload.end != End::kNotSent) add("final_sent", "1");
  if (auto const name = NameOf(upload.end); !name.empty()) {
    add("end", name);
    add("end_words", Escape(upload.end_words));
  }
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
  auto values = ReadLines(text);
  if (!values || (*values)["fingerprint"] != fingerprint) return std::nullopt;

  StoredUpload upload;
  upload.url = (*values)["url"];
  if (values->contains("final_sent")) upload.end = EndOf((*values)["end"]);
  upload.end_words = (*values)["end_words"];
  std::optional<std::uint64_t> expires;
  std::optional<std::uint64_t> checked_length;
  if (upload.url.empty() || !ReadNumber(*values, "length", upload.length) ||
      !ReadNumber(*values, "expires", expires) ||
      !ReadNumber(*values, "checked_length", checked_length)) {
    return std::nullopt;
  }
  if (expires) upload.expires = TimeOf(*expires);
  if (!checked_length) return upload;

  auto digest = DecodeHex((*values)["checked_sha256"]);
  if (!digest || digest->size() != kDigestSize) return std::nullopt;
  upload.checked_length = *checked_length;
  upload.checked_sha256 = *std::move(digest);
  return upload;
}

}  // namespace tus
