#include "tusclient/preset.h"

#include <algorithm>
#include <array>
#include <functional>

#include "fail.h"
#include "text.h"

namespace tus {
namespace {

constexpr std::uint64_t kKiB = 1024;
constexpr std::uint64_t kMiB = 1024 * kKiB;

std::string BaseName(std::string const& path) {
  return path.substr(path.rfind('/') + 1);  // npos + 1 is 0
}

/// Nothing for a name that is not among the facts.
std::optional<std::string> Fact(std::string_view name, FileFacts const& facts) {
  if (name == "path") return facts.path;
  if (name == "name") return BaseName(facts.path);
  if (name == "type") return facts.type;
  if (name == "mtime") return facts.modified ? std::to_string(*facts.modified) : std::string();
  if (name == "size") return facts.size ? std::to_string(*facts.size) : std::string();
  if (name == "id") return facts.id;
  if (name == "sha1") return facts.sha1;
  if (name == "host") return facts.host;
  if (name == "machine-id") return facts.machine_id;
  return std::nullopt;
}

Result<std::string> Substitute(std::string_view text, FileFacts const& facts) {
  auto const bad = [&](std::string const& what) {
    return Fail(ErrorCode::kInvalidArgument,
                "the template \"" + FirstWords(text, 120) + "\" " + what +
                    "; it can have {path}, {name}, {type}, {mtime}, {size}, {id}, {sha1}, {host}, "
                    "{machine-id}, and {{ or }} for a brace");
  };
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    char const c = text[at];
    if (c != '{' && c != '}') {
      result += c;
      ++at;
    } else if (text.substr(at + 1, 1) == std::string_view(&c, 1)) {
      result += c;
      at += 2;
    } else {
      auto const end = text.find('}', at);
      if (c == '}' || end == std::string_view::npos) return bad("has a brace without its other");
      auto const name = text.substr(at + 1, end - at - 1);
      auto const fact = Fact(name, facts);
      if (!fact) return bad("names {" + FirstWords(name, 40) + "}, which there is not");
      result += *fact;
      at = end + 1;
    }
  }
  return result;
}

std::array<Preset, 3> const& AllPresets() {
  static std::array<Preset, 3> const presets{
      Preset{.name = "cloudflare-stream",
             // 5 MiB to 200 MiB, in multiples of 256 KiB; 50 MiB are advised.
             .chunks = {.size = 50 * kMiB, .multiple = 256 * kKiB, .least = 5 * kMiB},
             .defer_length = false,
             .metadata = {{"name", "{path}"}, {"filetype", "{type}"}},
             .required = {}},
      Preset{.name = "supabase",
             .chunks = {.size = 6 * kMiB, .exact = true},
             .defer_length = false,
             .metadata = {{"objectName", "{path}"}, {"contentType", "{type}"}},
             .required = {"bucketName"},
             // A file that is changed replaces the one of its name.
             .headers = {{"x-upsert", "true"}}},
      Preset{
          .name = "opencloud",
          .chunks = {.size = 10'000'000},
          .defer_length = false,
          .metadata = {{"filename", "{path}"}, {"mtime", "{mtime}"}, {"checksum", "sha1 {sha1}"}},
          .required = {}}};
  return presets;
}

}  // namespace

Result<void> CheckTemplates(std::span<MetadataTemplate const> templates) {
  Metadata keys;
  for (auto const& [key, value] : templates) {
    keys.emplace_back(key, "");
    if (auto const substituted = Substitute(value, {}); !substituted) {
      return tl::unexpected(substituted.error());
    }
  }
  return EncodeMetadata(keys).map([](std::string const&) {});
}

namespace {

// Whether it says more with these facts than without; what is no fact by its name is a brace.
bool Has(MetadataTemplate const& pair, FileFacts const& with) {
  return Substitute(pair.value, {}).value_or("") != Substitute(pair.value, with).value_or("");
}

// A fact of which there is nothing to say yet.
bool LacksFact(MetadataTemplate const& pair, FileFacts const& facts) {
  if (facts.sha1.empty() && Has(pair, {.sha1 = "x"})) return true;
  return !facts.modified && Has(pair, {.modified = 0});
}

}  // namespace

bool NeedSha1(std::span<MetadataTemplate const> templates) {
  return std::any_of(templates.begin(), templates.end(),
                     [](auto const& pair) { return Has(pair, {.sha1 = "x"}); });
}

bool NeedMachineId(std::span<MetadataTemplate const> templates) {
  return std::any_of(templates.begin(), templates.end(),
                     [](auto const& pair) { return Has(pair, {.machine_id = "x"}); });
}

Metadata Expand(std::span<MetadataTemplate const> templates, FileFacts const& facts) {
  Metadata metadata;
  for (auto const& pair : templates) {
    auto const& [key, text] = pair;
    if (LacksFact(pair, facts)) continue;
    auto value = Substitute(text, facts).value_or("");
    if (!value.empty()) metadata.emplace_back(key, std::move(value));
  }
  return metadata;
}

std::span<Preset const> Presets() { return AllPresets(); }

Result<Preset> FindPreset(std::string_view name) {
  std::string names;
  for (auto const& preset : Presets()) {
    if (preset.name == name) return preset;
    names += (names.empty() ? "" : ", ") + preset.name;
  }
  return Fail(ErrorCode::kInvalidArgument,
              "there is no preset \"" + FirstWords(name, 40) + "\"; there are " + names);
}

}  // namespace tus
