#include "program/check_config.h"

#include <tusclient/redact.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <vector>

#include "options/places.h"
#include "options/rule_keys.h"
#include "options/settings.h"
#include "options/upload_settings.h"
#include "options/values.h"
#include "program/process.h"

namespace tusfs {
namespace {

constexpr std::size_t kNameWidth = 19;
constexpr std::size_t kValueWidth = 40;
constexpr char const* kDefault = "default";

/// What is no setting and counts all the same.
constexpr char const* kVariables[] = {"CREDENTIALS_DIRECTORY",
                                      "TUSFS_RUNTIME_DIR",
                                      "https_proxy",
                                      "HTTPS_PROXY",
                                      "http_proxy",
                                      "all_proxy",
                                      "ALL_PROXY",
                                      "no_proxy",
                                      "NO_PROXY"};

std::string Padded(std::string text, std::size_t width) {
  text.resize(std::max(text.size(), width), ' ');
  return text;
}

std::string Line(std::string const& name, std::string const& value, std::string const& origin) {
  return Padded(name, kNameWidth) + " " + Padded(value, kValueWidth) + " " + origin + "\n";
}

std::string Joined(std::vector<std::string> const& values) {
  std::string text;
  for (auto const& value : values) text += (text.empty() ? "" : ", ") + value;
  return text;
}

struct Shown {
  std::string value;
  std::string origin;
};

/// As DefaultStateDirectory goes about it.
Shown DefaultStateDir(Options const& options) {
  std::error_code unknown;
  auto const mountpoint =
      std::filesystem::weakly_canonical(std::filesystem::absolute(options.mountpoint), unknown);
  auto const directory = DefaultStateDirectory(mountpoint.string());
  if (!directory) return {directory.error().context, kDefault};
  if (::geteuid() == 0) return {directory->string(), kDefault};
  auto const* const state = std::getenv("XDG_STATE_HOME");
  bool const is_set = state != nullptr && state[0] == '/';
  return {directory->string(), std::string("environment: ") + (is_set ? "XDG_STATE_HOME" : "HOME")};
}

/// With what was given, all that each upload will have.
std::string MetadataOf(Options const& options) {
  auto const rules = UploadRulesOf(options);
  return Joined(value::Metadata::Get(rules ? rules->metadata : options.metadata));
}

/// What the preset has decided of a setting that nobody gave; nothing: it says nothing about it.
std::string OfPreset(std::string_view name, Options const& options) {
  auto const rules = UploadRulesOf(options);
  if (options.preset.empty() || !rules) return {};
  auto const& chunks = rules->chunks;
  if (name == "chunk-size") return FormatSize(chunks.size);
  if (name == "chunk-multiple") return chunks.multiple <= 1 ? "" : FormatSize(chunks.multiple);
  if (name == "exact-chunks") return chunks.exact ? "true" : "";
  if (name == "metadata") return MetadataOf(options);
  return {};
}

Shown UnsetValue(Setting const& setting, Options const& options) {
  std::string_view const name = setting.name;
  if (name == "state-dir") return DefaultStateDir(options);
  if (auto value = OfPreset(name, options); !value.empty()) {
    return {std::move(value), "preset " + options.preset};
  }
  if (!setting.by_default.empty()) return {setting.by_default, kDefault};
  if (setting.kind == Setting::Kind::kFlag) return {"false", kDefault};
  bool const has_usual = setting.kind == Setting::Kind::kList && !setting.words.empty() &&
                         setting.words.front() == "none";
  return {has_usual ? "the usual ones" : "-", kDefault};
}

std::string GivenValue(Setting const& setting, Options const& options) {
  std::string_view const name = setting.name;
  auto values = setting.get(options);
  // Words of a program may be the secret itself.
  if (name == "token-command") return options.token_command.front() + " ***";
  if (setting.kind == Setting::Kind::kFlag) return values.empty() ? "false" : "true";
  if (setting.kind == Setting::Kind::kTable) return MetadataOf(options);
  bool const adds = setting.kind == Setting::Kind::kList && !setting.words.empty() &&
                    setting.words.front() == "none";
  if (adds && (values.empty() || values.front() != "none")) {
    values.insert(values.begin(),
                  setting.by_default.empty() ? "the usual ones" : setting.by_default);
  }
  return WithoutSecrets(Joined(values));
}

/// A proxy needs no scheme to have a password.
std::string WithoutPassword(std::string const& value) {
  auto const shown = WithoutSecrets(value);
  auto const at = shown.find('@');
  bool const is_bare = at != std::string::npos && shown.find("://") == std::string::npos;
  return is_bare ? "***" + shown.substr(at) : shown;
}

}  // namespace

std::string ShowOptions(Options const& options, Given const& given) {
  auto text = Line("url", tus::RedactUrl(options.url), given.PlaceOf("url")) +
              Line("mountpoint", options.mountpoint, given.PlaceOf("mountpoint"));
  for (auto const& setting : Settings()) {
    auto const place = given.PlaceOf(setting.name);
    auto const shown =
        place.empty() ? UnsetValue(setting, options) : Shown{GivenValue(setting, options), place};
    text += Line(setting.name, shown.value, shown.origin);
  }
  int number = 0;
  for (auto const& rule : options.rules) {
    text += Line("rule " + std::to_string(++number), TextOfRule(rule), rule.place);
  }
  for (auto const& word : options.kernel) text += Line(word, "for the kernel", "-o");
  for (auto const* const name : kVariables) {
    auto const* const value = std::getenv(name);
    if (value != nullptr && value[0] != '\0') {
      text += Line(name, WithoutPassword(value), "environment");
    }
  }
  return text;
}

std::string ShowOptions(Options const& options) {
  constexpr char const* kGiven = "given";
  Given given;
  given.Note("url", kGiven);
  given.Note("mountpoint", kGiven);
  Options const defaults;
  for (auto const& setting : Settings()) {
    if (setting.get(options) != setting.get(defaults)) given.Note(setting.name, kGiven);
  }
  return ShowOptions(options, given);
}

}  // namespace tusfs
