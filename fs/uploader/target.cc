#include "uploader/target.h"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <map>
#include <sstream>

#include "base/machine.h"

namespace tusfs {
namespace {

constexpr std::size_t kLongestName = 255;
constexpr std::size_t kRsyncSuffix = 6;   // letters and digits of mkstemp(3)
constexpr std::size_t kRcloneSuffix = 8;  // letters and digits, of which one is a digit
constexpr std::string_view kPartial = ".partial";
constexpr std::string_view kPart = ".part";
constexpr std::size_t kFirefoxPart = 8;  // letters and digits, of both kinds
constexpr char const* kEncodingKey = "tusfsEncoding";
constexpr char const* kHexDigits = "0123456789ABCDEF";
// Of all headers together many servers take no more; the others are small.
constexpr std::size_t kLargestHeader = std::size_t{15} * 1024;

// What stands around the final name of a file that is not whole yet.
struct Form {
  std::string_view prefix;
  std::string_view suffix;
};
constexpr Form kForms[] = {
    {".in.", "."},  // FTP servers and lftp
    {".syncthing.", ".tmp"},
    {".", kPart},
    {"", kPart},          // Firefox, KDE, yt-dlp
    {"", kPartial},       // rclone, Edge
    {"", ".crdownload"},  // Chrome
    {"", ".opdownload"},  // Opera
    {"", ".filepart"},    // WinSCP
    {"", ".!qB"},
    {"", ".!ut"},  // qBittorrent, µTorrent
    {"", "_exiftool_tmp"},
    {".", ".tusfs-import"},  // tusfs --import
};
// Likewise, where what stands there has an extension: anything may be called notes.tmp.
constexpr Form kFormsOfExtended[] = {
    {"", ".tmp"},  // rsync's relatives, 7z, cameras' offloaders
    {"tmp.", ""},  // copiers of broadcasters
    {"", ".copying"}, {"", ".incomplete"}, {"", ".download"},
};
// The final name is not among it.
constexpr std::string_view kNamelessForms[] = {".goutputstream-", ".pureftpd-upload.",
                                               ".tusfs-import."};

// Of six small letters, and what people call copies and settings: no suffix of mkstemp(3).
constexpr std::string_view kWords[] = {"backup", "config", "sample"};

// Bytes of the character at the front of `text`; 0 where it is no UTF-8, or a control character.
std::size_t TextSize(std::string_view text) {
  auto const byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  auto const lead = byte(0);
  if (lead < 0x80) return lead < 0x20 || lead == 0x7f ? 0 : 1;
  std::size_t const size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < size) return 0;
  for (std::size_t at = 1; at < size; ++at) {
    if ((byte(at) & 0xc0) != 0x80) return 0;
  }
  bool const is_control = lead == 0xc2 && byte(1) < 0xa0;
  bool const is_overlong = (lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xf0 && byte(1) < 0x90);
  bool const is_surrogate = lead == 0xed && byte(1) >= 0xa0;
  bool const is_beyond = lead == 0xf4 && byte(1) >= 0x90;
  return is_control || is_overlong || is_surrogate || is_beyond ? 0 : size;
}

bool IsText(std::string_view text) {
  while (!text.empty()) {
    auto const size = TextSize(text);
    if (size == 0) return false;
    text.remove_prefix(size);
  }
  return true;
}

std::string_view BaseName(std::string_view path) {
  auto const slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

bool All(std::string_view text, int (*kind)(int)) {
  return std::all_of(text.begin(), text.end(),
                     [kind](char c) { return kind(static_cast<unsigned char>(c)) != 0; });
}

/// Whether a file can be called so: what a directory itself is called leads out of it on a server.
bool IsName(std::string_view text) {
  return !text.empty() && text != "." && text != ".." && text.size() <= kLongestName &&
         text.find_first_of(std::string_view("/\0", 2)) == std::string_view::npos;
}

// rclone: NAME.a1b2c3d4.partial
std::string_view WithoutRandom(std::string_view name) {
  auto const dot = name.rfind('.');
  if (dot == std::string_view::npos || dot == 0) return name;
  auto const suffix = name.substr(dot + 1);
  bool const random =
      suffix.size() == kRcloneSuffix && All(suffix, std::isalnum) && !All(suffix, std::isalpha);
  return random ? name.substr(0, dot) : name;
}

// What stands between the two; empty where they are not around it.
std::string_view Within(std::string_view name, Form const& form) {
  auto const& [prefix, suffix] = form;
  if (name.size() <= prefix.size() + suffix.size()) return {};
  if (!name.starts_with(prefix) || !name.ends_with(suffix)) return {};
  return name.substr(prefix.size(), name.size() - prefix.size() - suffix.size());
}

bool HasExtension(std::string_view name) {
  auto const dot = name.rfind('.');
  return dot != std::string_view::npos && dot > 0 && dot + 1 < name.size();
}

// Firefox: NAME.a1B2c3D4.EXT
std::string WithoutFirefoxs(std::string_view name) {
  auto const extension = name.rfind('.');
  auto const random = extension == std::string_view::npos || extension == 0
                          ? std::string_view::npos
                          : name.rfind('.', extension - 1);
  if (random == std::string_view::npos || random == 0) return std::string(name);
  auto const part = name.substr(random + 1, extension - random - 1);
  bool const is_random = part.size() == kFirefoxPart && All(part, std::isalnum) &&
                         !All(part, std::isdigit) && !All(part, std::islower) &&
                         !All(part, std::isupper);
  if (!is_random) return std::string(name);
  return std::string(name.substr(0, random)) + std::string(name.substr(extension));
}

// Of mkstemp(3). One suffix in 185 has small letters only: behind a name without an extension those
// are a word (.app.config) more often than chance.
bool IsRandomSuffix(std::string_view suffix, std::string_view name) {
  if (suffix.size() != kRsyncSuffix || !All(suffix, std::isalnum)) return false;
  if (!All(suffix, std::islower)) return true;
  return HasExtension(name) && std::ranges::find(kWords, suffix) == std::end(kWords);
}

// NAME of rsync's ".NAME.XXXXXX", empty where it is none.
std::string_view WithinRsyncs(std::string_view name) {
  auto const dot = name.rfind('.');
  if (!name.starts_with('.') || dot == 0) return {};
  auto const inner = name.substr(1, dot - 1);
  return IsName(inner) && IsRandomSuffix(name.substr(dot + 1), inner) ? inner : std::string_view();
}

std::map<std::string, std::string, std::less<>> LoadMimeTypes() {
  std::map<std::string, std::string, std::less<>> types;
  std::ifstream table("/etc/mime.types");
  for (std::string line; std::getline(table, line);) {
    std::istringstream words(line.substr(0, line.find('#')));
    std::string type;
    words >> type;
    for (std::string extension; words >> extension;) types.emplace(extension, type);
  }
  return types;
}

}  // namespace

std::optional<std::string> FinalNameOf(std::string_view name) {
  for (auto const& form : kForms) {
    auto inner = Within(name, form);
    if (form.suffix == kPartial) inner = WithoutRandom(inner);
    if (form.suffix == kPart && IsName(inner)) return WithoutFirefoxs(inner);
    if (IsName(inner)) return std::string(inner);
  }
  for (auto const& form : kFormsOfExtended) {
    auto const inner = Within(name, form);
    if (IsName(inner) && HasExtension(inner)) return std::string(inner);
  }
  for (auto const prefix : kNamelessForms) {
    if (name.starts_with(prefix)) return std::string();
  }
  if (auto const inner = WithinRsyncs(name); !inner.empty()) return std::string(inner);
  return std::nullopt;
}

bool IsRsyncTemporary(std::string_view name) { return !WithinRsyncs(name).empty(); }

std::string TargetPath(std::string_view path) {
  auto const base = BaseName(path);
  auto const final_name = FinalNameOf(base);
  if (!final_name || final_name->empty()) return std::string(path);
  return std::string(path.substr(0, path.size() - base.size())) + *final_name;
}

std::string MimeTypeOf(std::string_view name) {
  static auto const types = LoadMimeTypes();
  auto const base = BaseName(name);
  auto const dot = base.rfind('.');
  if (dot != std::string_view::npos) {
    std::string extension(base.substr(dot + 1));
    std::transform(extension.begin(), extension.end(), extension.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (auto const found = types.find(extension); found != types.end()) return found->second;
  }
  return "application/octet-stream";
}

std::vector<tus::MetadataTemplate> DefaultMetadata() {
  return {{"filename", "{name}"},
          {"filetype", "{type}"},
          {"relativePath", "{path}"},
          {"mtime", "{mtime}"},
          {"tusfsId", "{id}"}};
}

std::string PercentEncode(std::string_view path) {
  std::string encoded;
  while (!path.empty()) {
    auto const size = TextSize(path);
    bool const clean = size > 0 && path.front() != '%';
    for (char const c : path.substr(0, std::max<std::size_t>(size, 1))) {
      if (clean) {
        encoded += c;
        continue;
      }
      auto const byte = static_cast<unsigned char>(c);
      encoded += {'%', kHexDigits[byte >> 4], kHexDigits[byte & 15]};
    }
    path.remove_prefix(std::max<std::size_t>(size, 1));
  }
  return encoded;
}

tus::FileFacts FactsFor(Upload const& upload, std::optional<FileTime> modified) {
  return {.path = IsText(upload.path) ? upload.path : PercentEncode(upload.path),
          .type = MimeTypeOf(upload.path),
          .modified = modified ? std::optional(*modified / 1'000'000'000) : std::nullopt,
          .size = upload.length,
          .id = upload.id.ToString(),
          .sha1 = {},
          .host = HostName(),
          .machine_id = MachineId()};
}

tus::Metadata MetadataFor(std::span<tus::MetadataTemplate const> templates, Upload const& upload,
                          std::optional<FileTime> modified, std::string const& sha1) {
  auto facts = FactsFor(upload, modified);
  facts.sha1 = sha1;
  auto encoded = tus::Expand(templates, facts);
  if (IsText(upload.path)) return encoded;
  facts.path = upload.path;
  auto const metadata = tus::Expand(templates, facts);
  bool const is_said = std::any_of(encoded.begin(), encoded.end(),
                                   [](auto const& pair) { return pair.first == kEncodingKey; });
  if (encoded != metadata && !is_said) encoded.emplace_back(kEncodingKey, "percent");
  return encoded;
}

std::optional<std::string> WhyNotSendable(tus::Metadata const& metadata) {
  auto const header = tus::EncodeMetadata(metadata);
  if (!header) return header.error().message;
  if (header->size() <= kLargestHeader) return std::nullopt;
  return "its metadata takes " + std::to_string(header->size()) + " bytes, and servers take " +
         std::to_string(kLargestHeader) +
         " at most: give it a shorter path, or leave keys out with --metadata";
}

}  // namespace tusfs
