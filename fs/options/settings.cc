#include "options/settings.h"

#include <tusclient/credentials.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <set>

#include "options/publish_settings.h"
#include "options/space_settings.h"
#include "options/upload_settings.h"

namespace tusfs {
namespace {

constexpr std::uint64_t kChunkMultiple = 256 * 1024;
constexpr std::int64_t kLongestTime = 30 * 86'400;  // seconds

using Kind = Setting::Kind;

std::vector<std::string> Unless(bool is_default, std::string text) {
  return is_default ? std::vector<std::string>() : std::vector{std::move(text)};
}

// ---- one by one

Result<void> SetChunkSize(Options& options, std::string const& value) {
  auto const size = ParseSize(value);
  if (!size || *size == 0 || *size % kChunkMultiple != 0) {
    return InvalidValue("chunk-size", value, "it takes a multiple of 256KiB, such as 8MiB");
  }
  options.chunk_size = *size;
  return {};
}

Result<void> SetChunkMultiple(Options& options, std::string const& value) {
  auto const size = ParseSize(value);
  if (!size || *size == 0) {
    return InvalidValue("chunk-multiple", value,
                        "it takes a size of 1 byte or more, such as 256KiB");
  }
  options.chunk_multiple = *size;
  return {};
}

Result<void> SetLimitRate(Options& options, std::string const& value) {
  auto const rate = ParseSize(value);
  if (!rate) {
    return InvalidValue("limit-rate", value,
                        "it takes bytes per second, such as 500KiB or 10MiB; 0 means no limit");
  }
  options.limit_rate = *rate;
  return {};
}

Result<void> SetTransfers(Options& options, std::string const& value) {
  int count = 0;
  auto const* const end = value.data() + value.size();
  auto const parsed = std::from_chars(value.data(), end, count);
  if (parsed.ec != std::errc() || parsed.ptr != end || count < 1 || count > 64) {
    return InvalidValue("transfers", value, "it takes a number from 1 to 64");
  }
  options.transfers = count;
  return {};
}

Result<void> SetStateDir(Options& options, std::string const& value) {
  if (value.empty()) return InvalidValue("state-dir", value, "it takes a directory");
  options.state_dir = value;
  return {};
}

Result<void> SetPreset(Options& options, std::string const& value) {
  if (auto const preset = tus::FindPreset(value); !preset) {
    return Fail(EINVAL, "--preset: " + preset.error().message);
  }
  options.preset = value;
  return {};
}

// A later template for a key replaces an earlier one.
Result<void> AddMetadata(Options& options, std::string const& value) {
  auto const equals = value.find('=');
  if (equals == std::string::npos) {
    return InvalidValue("metadata", value, "it takes KEY=TEMPLATE, such as project={path}");
  }
  tus::MetadataTemplate const added{value.substr(0, equals), value.substr(equals + 1)};
  if (auto const checked = tus::CheckTemplates(std::span(&added, 1)); !checked) {
    return Fail(EINVAL, "--metadata: " + checked.error().message);
  }
  std::erase_if(options.metadata, [&](auto const& other) { return other.key == added.key; });
  options.metadata.push_back(added);
  return {};
}

std::vector<std::string> GetMetadata(Options const& options) {
  std::vector<std::string> list;
  for (auto const& [key, value] : options.metadata) list.push_back(key + "=" + value);
  return list;
}

Result<void> AddTrustedOrigin(Options& options, std::string const& value) {
  if (auto const url = tus::NormalizeEndpoint(value); !url) {
    return InvalidValue("trust-origin", value, url.error().message);
  }
  options.trust_origin.push_back(value);
  return {};
}

// A bare name is a credential of systemd where there is one. The daemon has another directory.
std::string AbsolutePath(std::string const& value) {
  return std::filesystem::absolute(tus::CredentialFile(value)).string();
}

// ---- by kind

template <auto kMember>
Setting Flag(char const* name, char const* help) {
  return {name,
          "",
          help,
          Kind::kFlag,
          [](Options& options, std::string const& value) -> Result<void> {
            if (value != "true" && value != "false") {
              return Fail(EINVAL, "'" + value + "' is not true or false");
            }
            options.*kMember = value == "true";
            return {};
          },
          [](Options const& options) { return Unless(!(options.*kMember), "true"); }};
}

template <auto kMember>
Setting Seconds(char const* name, char const* help) {
  return {
      name,
      "SECONDS",
      help,
      Kind::kValue,
      [name](Options& options, std::string const& value) -> Result<void> {
        double seconds = 0;
        auto const* const end = value.data() + value.size();
        auto const parsed = std::from_chars(value.data(), end, seconds);
        if (parsed.ec != std::errc() || parsed.ptr != end || !(seconds >= 0 && seconds <= 86'400)) {
          return InvalidValue(name, value, "it takes seconds from 0 to 86400");
        }
        options.*kMember = std::chrono::milliseconds(std::llround(seconds * 1000));
        return {};
      },
      [](Options const& options) {
        auto const milliseconds = (options.*kMember).count();
        char text[32];
        std::snprintf(text, sizeof text, "%lld.%03lld", static_cast<long long>(milliseconds / 1000),
                      static_cast<long long>(milliseconds % 1000));
        return std::vector<std::string>{text};
      }};
}

/// Whole ones, up to 30 days.
template <auto kMember>
Setting LongSeconds(char const* name, char const* help) {
  return {name,
          "SECONDS",
          help,
          Kind::kValue,
          [name](Options& options, std::string const& value) -> Result<void> {
            std::int64_t seconds = 0;
            auto const* const end = value.data() + value.size();
            auto const parsed = std::from_chars(value.data(), end, seconds);
            bool const is_whole = parsed.ec == std::errc() && parsed.ptr == end;
            if (!is_whole || seconds < 0 || seconds > kLongestTime) {
              return InvalidValue(name, value, "it takes seconds from 0 to 2592000");
            }
            options.*kMember = std::chrono::seconds(seconds);
            return {};
          },
          [](Options const& options) {
            return std::vector{std::to_string((options.*kMember).count())};
          }};
}

template <auto kMember>
Setting File(char const* name, char const* help) {
  return {
      name,
      "FILE",
      help,
      Kind::kValue,
      [name](Options& options, std::string const& value) -> Result<void> {
        if (value.empty()) return InvalidValue(name, value, "it takes a file");
        options.*kMember = AbsolutePath(value);
        return {};
      },
      [](Options const& options) { return Unless((options.*kMember).empty(), options.*kMember); }};
}

template <auto kMember>
Setting Text(char const* name, char const* metavar, char const* help) {
  return {
      name,
      metavar,
      help,
      Kind::kValue,
      [name](Options& options, std::string const& value) -> Result<void> {
        if (value.empty()) return InvalidValue(name, value, "it is empty");
        options.*kMember = value;
        return {};
      },
      [](Options const& options) { return Unless((options.*kMember).empty(), options.*kMember); }};
}

template <auto kMember>
Setting Choice(char const* name, char const* metavar, char const* help,
               std::vector<std::string> choices) {
  return {name,
          metavar,
          help,
          Kind::kValue,
          [name, choices](Options& options, std::string const& value) -> Result<void> {
            if (std::find(choices.begin(), choices.end(), value) == choices.end()) {
              std::string list;
              for (auto const& choice : choices) {
                list += (list.empty() ? "" : choice == choices.back() ? " or " : ", ") + choice;
              }
              return InvalidValue(name, value, "it takes " + list);
            }
            options.*kMember = value;
            return {};
          },
          [](Options const& options) { return std::vector{options.*kMember}; }};
}

template <auto kMember>
std::vector<std::string> GetSize(Options const& options) {
  return Unless(!(options.*kMember), std::to_string((options.*kMember).value_or(0)));
}

std::vector<Setting> MakeSettings() {
  std::vector<Setting> settings{
      {"state-dir", "DIR", "where names, upload records and unsent bytes are kept", Kind::kValue,
       SetStateDir,
       [](Options const& options) { return Unless(options.state_dir.empty(), options.state_dir); }},
      Seconds<&Options::settle>("settle",
                                "quiet time between the last close and 'finished' (default 2)"),
      Seconds<&Options::settle_limit>(
          "settle-limit",
          "longest quiet time of a file that changes again and again (default 900)"),
      LongSeconds<&Options::adopt_timeout>(
          "adopt-timeout",
          "keep an upload that lost its file so long for a copy of it (default 86400)"),
      {"chunk-size", "SIZE", "largest PATCH body, a multiple of 256KiB (default 32MiB)",
       Kind::kValue, SetChunkSize, GetSize<&Options::chunk_size>},
      {"chunk-multiple", "SIZE", "every PATCH body but a file's last is a multiple of this",
       Kind::kValue, SetChunkMultiple, GetSize<&Options::chunk_multiple>},
      Flag<&Options::exact_chunks>("exact-chunks",
                                   "every PATCH body but a file's last is exactly --chunk-size"),
      {"transfers", "N", "files that are sent at the same time (default 4)", Kind::kValue,
       SetTransfers,
       [](Options const& options) { return std::vector{std::to_string(options.transfers)}; }},
      {"limit-rate", "RATE", "bytes per second for all uploads together (default 0, no limit)",
       Kind::kValue, SetLimitRate, GetSize<&Options::limit_rate>},
      {"preset", "NAME", "the rules of a service: cloudflare-stream, supabase, opencloud",
       Kind::kValue, SetPreset,
       [](Options const& options) { return Unless(options.preset.empty(), options.preset); }},
      {"metadata", "KEY=TEMPLATE", "metadata of each upload; an empty template leaves KEY out",
       Kind::kTable, AddMetadata, GetMetadata},
      Choice<&Options::checksum>("checksum", "WHEN",
                                 "a checksum with each PATCH: auto (where the server has them) or "
                                 "off (default auto)",
                                 {"auto", "off"}),
      Choice<&Options::verify>("verify", "HOW",
                               "before a file counts as uploaded, compare what the server has: "
                               "off, head (its length) or download (its bytes; default off)",
                               {"off", "head", "download"}),
      File<&Options::url_file>("url-file", "take the URL from FILE, where a secret is in it"),
      File<&Options::token_file>("token-file", "send the bearer token in FILE"),
      File<&Options::basic_file>("basic-file", "send the user:password in FILE"),
      File<&Options::header_file>("header-file", "send the headers in FILE"),
      Text<&Options::token_command>("token-command", "COMMAND",
                                    "send the bearer token that COMMAND prints"),
      File<&Options::netrc_file>("netrc-file", "send what FILE, a netrc(5), has for the host"),
      {"trust-origin", "URL", "send credentials to uploads at this origin, too", Kind::kList,
       AddTrustedOrigin, [](Options const& options) { return options.trust_origin; }},
      File<&Options::ca_file>("ca-file", "trust the authorities in FILE, not the system's"),
      File<&Options::client_cert>("client-cert", "TLS client certificate, PEM"),
      File<&Options::client_key>("client-key", "its key, PEM, where the certificate lacks it"),
      Text<&Options::interface>("interface", "NAME", "send from this interface or address"),
      Choice<&Options::ip_version>("ip-version", "VERSION", "any, 4 or 6 (default any)",
                                   {"any", "4", "6"}),
      Flag<&Options::http2>("http2", "use HTTP/2 where TLS negotiates it"),
      Flag<&Options::method_override>("method-override",
                                      "send PATCH and DELETE as POST, for old proxies"),
      Flag<&Options::lenient>("lenient",
                              "take answers without Tus-Resumable for those of a tus server"),
      Flag<&Options::retry_refused>("retry-refused",
                                    "send again each hour what the server has refused at its end"),
      LongSeconds<&Options::give_up>(
          "give-up",
          "a file of which the server takes nothing for so long fails (default 0, never)"),
      Text<&Options::create_command>("create-command", "COMMAND",
                                     "says where and how each upload is made, in JSON"),
      Choice<&Options::log_level>("log-level", "LEVEL", "debug, info, warn or error (default info)",
                                  {"debug", "info", "warn", "error"}),
      Flag<&Options::core_dumps>("core-dumps",
                                 "allow core dumps and debuggers, which can see secrets"),
      Flag<&Options::foreground>("foreground", "stay in the foreground and log to stderr"),
      Flag<&Options::nonempty>("nonempty", "mount over a directory that is not empty"),
      Flag<&Options::allow_other>("allow-other",
                                  "let other users in (needs user_allow_other unless root)"),
  };
  settings.insert(
      settings.end(),
      {Choice<&Options::unknown>("unknown", "WHAT",
                                 "files whose writer's end nobody can tell: hold or publish "
                                 "(default hold)",
                                 {"hold", "publish"}),
       Choice<&Options::interrupted>("interrupted", "WHAT",
                                     "files that their writer did not finish: hold or publish "
                                     "(default hold)",
                                     {"hold", "publish"}),
       Text<&Options::finish_command>("finish-command", "COMMAND",
                                      "exits with 0 for a file that is complete")});
  for (auto& setting : PublishSettings()) settings.push_back(std::move(setting));
  for (auto& setting : SpaceSettings()) settings.push_back(std::move(setting));
  return settings;
}

}  // namespace

Failure InvalidValue(std::string const& name, std::string const& value, std::string const& wanted) {
  return Fail(EINVAL, "--" + name + " is '" + value + "': " + wanted);
}

std::vector<Setting> const& Settings() {
  static std::vector<Setting> const settings = MakeSettings();
  return settings;
}

Setting const* FindSetting(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  auto const found = std::find_if(Settings().begin(), Settings().end(),
                                  [&](Setting const& setting) { return name == setting.name; });
  return found == Settings().end() ? nullptr : &*found;
}

Result<void> CheckTogether(Options const& options) {
  std::vector<std::string> sources;
  for (auto const& [name, value] : {std::pair("--token-file", &options.token_file),
                                    {"--basic-file", &options.basic_file},
                                    {"--header-file", &options.header_file},
                                    {"--token-command", &options.token_command},
                                    {"--netrc-file", &options.netrc_file}}) {
    if (!value->empty()) sources.emplace_back(name);
  }
  if (sources.size() > 1) {
    return Fail(EINVAL, sources[0] + " and " + sources[1] +
                            " are two sources of credentials: give one of them");
  }
  if (!options.client_key.empty() && options.client_cert.empty()) {
    return Fail(EINVAL, "--client-key needs --client-cert");
  }
  if (auto const rules = PublishRulesOf(options); !rules) return Failure(rules.error());
  auto const rules = UploadRulesOf(options);
  return rules ? CheckSpace(options, rules->chunks.size) : Failure(rules.error());
}

}  // namespace tusfs
