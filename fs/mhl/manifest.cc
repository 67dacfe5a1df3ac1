#include "mhl/manifest.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <utility>

#include "base/iso_time.h"
#include "mhl/xml.h"

namespace tusfs {
namespace {

// A plain one, relative to its directory.
bool IsPlain(std::string_view path) {
  if (path.empty() || path.find('\0') != std::string_view::npos) return false;
  while (!path.empty()) {
    auto const end = std::min(path.find('/'), path.size());
    auto const name = path.substr(0, end);
    if (name.empty() || name == "." || name == "..") return false;
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return true;
}

std::string Trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  auto const begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return std::string(text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1));
}

std::string LowerCase(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) {
    return static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
  });
  return text;
}

// MHL 1.1 has names of its own, one of them of bytes the other way round.
std::optional<MediaHash> HashOf(std::string const& name, std::string value) {
  if (name == "xxhash64be") return MediaHash{HashFormat::kXxh64, LowerCase(std::move(value))};
  if (name == "xxhash64") {
    std::string turned;
    for (auto at = value.size(); at >= 2; at -= 2) turned += value.substr(at - 2, 2);
    return MediaHash{HashFormat::kXxh64, LowerCase(std::move(turned))};
  }
  auto const format = HashFormatOf(name);
  if (!format) return std::nullopt;
  bool const has_cases = *format == HashFormat::kC4;
  return MediaHash{*format, has_cases ? std::move(value) : LowerCase(std::move(value))};
}

HashAction ActionOf(XmlElement const& element) {
  auto const found = element.attributes.find("action");
  if (found == element.attributes.end() || found->second == "original") {
    return HashAction::kOriginal;
  }
  return found->second == "verified" ? HashAction::kVerified : HashAction::kFailed;
}

char const* NameOf(HashAction action) {
  switch (action) {
    case HashAction::kOriginal:
      return "original";
    case HashAction::kVerified:
      return "verified";
    case HashAction::kFailed:
      return "failed";
  }
  return "";
}

class ManifestReader {
 public:
  std::string Begins(XmlElement const& element) {
    if (element.path == "hashlist") return CheckVersion(element);
    if (element.path.find('/') == std::string::npos) return "it is no media hash list";
    if (Normal(element.path) == "hashlist/hash") file_ = {};
    return {};
  }

  std::string Ends(XmlElement const& element) {
    auto const path = Normal(element.path);
    if (path == "hashlist/hash") return EndFile();
    if (path == "hashlist/creatorinfo/hostname") manifest_.host = Trimmed(element.text);
    if (path == "hashlist/creatorinfo/tool") manifest_.tool = Trimmed(element.text);
    constexpr std::string_view kOfFile = "hashlist/hash/";
    if (path.starts_with(kOfFile)) return EndPart(path.substr(kOfFile.size()), element);
    return {};
  }

  Manifest Take() { return std::move(manifest_); }

 private:
  // What 2.0 has within "hashes", 1.1 has without.
  static std::string Normal(std::string const& path) {
    constexpr std::string_view kHashes = "hashlist/hashes/";
    return path.starts_with(kHashes) ? "hashlist/" + path.substr(kHashes.size()) : path;
  }

  static std::string CheckVersion(XmlElement const& element) {
    auto const version = element.attributes.find("version");
    if (version == element.attributes.end()) return "the media hash list has no version";
    auto const& is = version->second;
    if (is.starts_with("1.") || is.starts_with("2.")) return {};
    return "it is a media hash list of version " + is + ": 1.1 and 2.0 can be read";
  }

  std::string EndPart(std::string const& name, XmlElement const& element) {
    auto const text = Trimmed(element.text);
    if (name == "path" || name == "file") {
      file_.path = element.text;
      // As programs on Windows have them.
      if (name == "file") std::ranges::replace(file_.path, '\\', '/');
      auto const attribute = [&](char const* key) {
        auto const found = element.attributes.find(key);
        return found == element.attributes.end() ? std::string() : found->second;
      };
      file_.modified = ParseIso(attribute("lastmodificationdate")).value_or(0);
      auto const size = attribute("size");
      return size.empty() ? std::string() : SetSize(size);
    }
    if (name == "size") return SetSize(text);
    if (name == "lastmodificationdate") file_.modified = ParseIso(text).value_or(0);
    if (auto hash = HashOf(name, text)) {
      hash->action = ActionOf(element);
      file_.hashes.push_back(*std::move(hash));
    }
    return {};
  }

  std::string SetSize(std::string const& text) {
    std::uint64_t size = 0;
    auto const* const end = text.data() + text.size();
    auto const [rest, problem] = std::from_chars(text.data(), end, size);
    if (problem != std::errc() || rest != end) return "'" + text + "' is no size";
    file_.size = size;
    return {};
  }

  std::string EndFile() {
    if (!IsPlain(file_.path)) return "'" + file_.path + "' is no path within the directory";
    manifest_.files.push_back(std::move(file_));
    return {};
  }

  Manifest manifest_;
  MediaFile file_;
};

std::string HashElement(MediaHash const& hash, std::string const& date) {
  std::string const name(NameOf(hash.format));
  return "      <" + name + " action=\"" + NameOf(hash.action) + "\" hashdate=\"" + date + "\">" +
         EscapeXml(hash.value) + "</" + name + ">\n";
}

}  // namespace

Result<Manifest> ParseManifest(std::string_view text) {
  ManifestReader reader;
  auto const read = ReadXml(
      text, [&](XmlElement const& element) { return reader.Begins(element); },
      [&](XmlElement const& element) { return reader.Ends(element); });
  if (!read) return Failure(read.error());
  return reader.Take();
}

std::string WriteManifest(Manifest const& manifest) {
  auto const date = IsoWithZone(manifest.created);
  std::string text =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<hashlist version=\"2.0\" xmlns=\"urn:ASC:MHL:v2.0\">\n"
      "  <creatorinfo>\n"
      "    <creationdate>" +
      date + "</creationdate>\n    <hostname>" + EscapeXml(manifest.host) +
      "</hostname>\n    <tool version=\"" + EscapeXml(manifest.tool_version) + "\">" +
      EscapeXml(manifest.tool) +
      "</tool>\n"
      "  </creatorinfo>\n"
      "  <processinfo>\n"
      "    <process>in-place</process>\n"
      "    <ignore>\n"
      "      <pattern>.DS_Store</pattern>\n"
      "      <pattern>ascmhl</pattern>\n"
      "      <pattern>ascmhl/</pattern>\n"
      "    </ignore>\n"
      "  </processinfo>\n"
      "  <hashes>\n";
  for (auto const& file : manifest.files) {
    text += "    <hash>\n      <path";
    if (file.size) text += " size=\"" + std::to_string(*file.size) + "\"";
    text += " lastmodificationdate=\"" + IsoWithZone(file.modified) + "\">" + EscapeXml(file.path) +
            "</path>\n";
    for (auto const& hash : file.hashes) text += HashElement(hash, date);
    text += "    </hash>\n";
  }
  return text + "  </hashes>\n</hashlist>\n";
}

Result<std::vector<ChainLink>> ParseChain(std::string_view text) {
  std::vector<ChainLink> links;
  auto const begins = [&](XmlElement const& element) -> std::string {
    bool const is_top = element.path.find('/') == std::string::npos;
    if (is_top && element.path != "ascmhldirectory") return "it is no chain of media hash lists";
    if (element.path != "ascmhldirectory/hashlist") return {};
    links.emplace_back();
    auto const number = element.attributes.find("sequencenr");
    if (number == element.attributes.end()) return "a generation has no sequencenr";
    auto const& digits = number->second;
    auto const* const end = digits.data() + digits.size();
    auto const [rest, problem] = std::from_chars(digits.data(), end, links.back().sequence);
    return problem == std::errc() && rest == end ? "" : "'" + digits + "' is no sequencenr";
  };
  auto const ends = [&](XmlElement const& element) -> std::string {
    if (element.path == "ascmhldirectory/hashlist/path") links.back().path = Trimmed(element.text);
    if (element.path == "ascmhldirectory/hashlist/c4") links.back().c4 = Trimmed(element.text);
    if (element.path != "ascmhldirectory/hashlist") return {};
    auto const& path = links.back().path;
    bool const is_name = IsPlain(path) && path.find('/') == std::string::npos;
    return is_name ? "" : "'" + path + "' is no name of a manifest";
  };
  auto const read = ReadXml(text, begins, ends);
  if (!read) return Failure(read.error());
  return links;
}

std::string WriteChain(std::vector<ChainLink> const& links) {
  std::string text =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<ascmhldirectory xmlns=\"urn:ASC:MHL:DIRECTORY:v2.0\">\n";
  for (auto const& link : links) {
    text += "  <hashlist sequencenr=\"" + std::to_string(link.sequence) + "\">\n    <path>" +
            EscapeXml(link.path) + "</path>\n    <c4>" + EscapeXml(link.c4) +
            "</c4>\n  </hashlist>\n";
  }
  return text + "</ascmhldirectory>\n";
}

}  // namespace tusfs
