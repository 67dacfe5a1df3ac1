#include "tus_upload_options.h"

#include <tusclient/parallel_upload.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <fstream>
#include <map>
#include <set>
#include <span>
#include <sstream>
#include <system_error>
#include <tl/expected.hpp>
#include <utility>

#include "tus_upload_state.h"
#include "tus_upload_text.h"

namespace tus_upload {
namespace {

constexpr int kUsageError = 2;
constexpr std::chrono::seconds kCommandTimeout{30};
constexpr unsigned kMostJobs = 64;
constexpr double kLongestPatience = 10 * 365 * 86'400.0;  // seconds

/// A value, or a sentence about what is wrong with the command line.
template <typename T>
using Checked = tl::expected<T, std::string>;

tl::unexpected<std::string> Wrong(std::string sentence) {
  return tl::unexpected(std::move(sentence));
}

/// As it was written.
struct Given {
  std::string url;
  std::vector<std::string> files;
  std::string upload_url;
  std::string upload_url_file;
  std::string jobs = "1";
  std::string parts = "1";
  std::string name = "stdin";
  std::string state_dir;
  std::optional<double> give_up;
  std::string chunk_size;
  std::string chunk_multiple;
  bool exact_chunks = false;
  std::string limit_rate;
  std::string preset;
  std::vector<std::string> metadata;
  std::string checksum = "auto";
  std::string token_file;
  std::string basic_file;
  std::string header_file;
  std::string token_command;
  std::string netrc_file;
  std::vector<std::string> trust_origin;
  std::string ip_version = "any";
};

// ---- what there is

void AddSending(CLI::App& app, Given& given, Options& options) {
  auto const each = [](CLI::Option* option) {
    option->expected(1)->allow_extra_args(false)->multi_option_policy(
        CLI::MultiOptionPolicy::TakeAll);
  };
  app.add_flag("--recursive,-r", options.recursive,
               "upload all files in FILE where it is a folder");
  app.add_option("--jobs,-j", given.jobs, "how many files go at once, up to 64 (default 1)")
      ->option_text("N");
  app.add_option("--parts,-p", given.parts,
                 "send each file as so many parts at once, where the server can join them, up to "
                 "24 (default 1)")
      ->option_text("N");
  app.add_option("--upload-url", given.upload_url,
                 "fill this upload, which was made elsewhere, with FILE")
      ->option_text("URL");
  app.add_option("--upload-url-file", given.upload_url_file, "the same, with the URL in a file")
      ->option_text("FILE");
  app.add_option("--name", given.name, "what standard input is called (default stdin)")
      ->option_text("NAME");
  app.add_option("--state-dir", given.state_dir, "where unfinished uploads are remembered")
      ->option_text("DIR");
  app.add_option("--give-up", given.give_up,
                 "give a file up when nothing has moved on for so long (default: never)")
      ->option_text("SECONDS");
  app.add_flag("--abandon", options.abandon,
               "delete the unfinished uploads of these files, upload nothing");
  app.add_option("--chunk-size", given.chunk_size, "largest PATCH body (default 32MiB)")
      ->option_text("SIZE");
  app.add_option("--chunk-multiple", given.chunk_multiple,
                 "every PATCH body but a file's last is a multiple of this")
      ->option_text("SIZE");
  app.add_flag("--exact-chunks", given.exact_chunks,
               "every PATCH body but a file's last is exactly --chunk-size");
  app.add_option("--limit-rate", given.limit_rate, "bytes per second (default 0, no limit)")
      ->option_text("RATE");
  app.add_option("--preset", given.preset,
                 "the rules of a service: cloudflare-stream, supabase, opencloud")
      ->option_text("NAME");
  each(app.add_option("--metadata", given.metadata,
                      "metadata of each upload; an empty template leaves KEY out")
           ->option_text("KEY=TEMPLATE"));
  app.add_option("--checksum", given.checksum,
                 "a checksum with each PATCH: auto (where the server has them) or off (default "
                 "auto)")
      ->option_text("WHEN");
  app.add_flag("--sha256", options.sha256,
               "read each file first, and send its SHA-256 with the last bytes");
  each(app.add_option("--trust-origin", given.trust_origin,
                      "send credentials to uploads at this origin, too")
           ->option_text("URL"));
}

void AddConnection(CLI::App& app, Given& given, Options& options) {
  auto const file = [&app](char const* option, std::string& value, char const* help) {
    app.add_option(option, value, help)->option_text("FILE");
  };
  file("--token-file", given.token_file, "send the bearer token in FILE");
  file("--basic-file", given.basic_file, "send the user:password in FILE");
  file("--header-file", given.header_file, "send the headers in FILE");
  app.add_option("--token-command", given.token_command,
                 "send the bearer token that COMMAND prints")
      ->option_text("COMMAND");
  file("--netrc-file", given.netrc_file, "send what FILE, a netrc(5), has for the host");
  file("--ca-file", options.transport.ca_file, "trust the authorities in FILE, not the system's");
  file("--client-cert", options.transport.client_cert, "TLS client certificate, PEM");
  file("--client-key", options.transport.client_key,
       "its key, PEM, where the certificate lacks it");
  app.add_option("--interface", options.transport.interface, "send from this interface or address")
      ->option_text("NAME");
  app.add_option("--ip-version", given.ip_version, "any, 4 or 6 (default any)")
      ->option_text("VERSION");
  app.add_flag("--http2", options.transport.http2, "use HTTP/2 where TLS negotiates it");
  app.add_flag("--method-override", options.client.method_override,
               "send PATCH and DELETE as POST, for old proxies");
  app.add_flag("--lenient", options.client.lenient,
               "take answers without Tus-Resumable for those of a tus server");
  app.add_flag("--print-url", options.print_url,
               "print the URL of each finished upload, which is a secret");
  app.add_flag("--json", options.json, "say what happens on standard output, as JSON for programs");
  app.add_flag("--core-dumps", options.core_dumps,
               "allow core dumps and debuggers, which can see secrets");
  app.add_flag("--quiet,-q", options.quiet, "say nothing but what failed");
  app.add_flag("--verbose,-v", options.verbose, "say each step");
}

// ---- what it means

Checked<std::uint64_t> Size(char const* option, std::string const& text) {
  static std::map<std::string, int> const shifts{{"", 0},     {"B", 0},    {"KiB", 10},
                                                 {"MiB", 20}, {"GiB", 30}, {"TiB", 40}};
  std::uint64_t number = 0;
  auto const* const end = text.data() + text.size();
  auto const parsed = std::from_chars(text.data(), end, number);
  auto const shift = shifts.find(std::string(parsed.ptr, end));
  if (parsed.ec != std::errc() || shift == shifts.end() ||
      number > (std::uint64_t{1} << (62 - shift->second))) {
    return Wrong(std::string(option) + " is " + Quoted(text) +
                 ": write bytes, or a number and KiB, MiB or GiB");
  }
  return number << shift->second;
}

Checked<unsigned> Count(std::string const& option, std::string const& text, unsigned most) {
  unsigned number = 0;
  auto const* const end = text.data() + text.size();
  auto const parsed = std::from_chars(text.data(), end, number);
  if (parsed.ec == std::errc() && parsed.ptr == end && number >= 1 && number <= most) {
    return number;
  }
  return Wrong(option + " is " + Quoted(text) + ": it takes a number from 1 to " +
               std::to_string(most));
}

Checked<void> CheckReadable(char const* option, std::string const& file) {
  if (file.empty() || ::access(file.c_str(), R_OK) == 0) return {};
  return Wrong(std::string(option) + ": the file " + Quoted(file) +
               " cannot be read: " + std::system_category().message(errno));
}

/// A later template for a key replaces an earlier one, and an empty one leaves the key out.
Checked<void> AddMetadata(Options& options, std::vector<std::string> const& pairs) {
  for (auto const& pair : pairs) {
    auto const equals = pair.find('=');
    if (equals == std::string::npos) {
      return Wrong("--metadata is " + Quoted(pair) +
                   ": it takes KEY=TEMPLATE, such as project=alpha");
    }
    tus::MetadataTemplate const added{pair.substr(0, equals), pair.substr(equals + 1)};
    if (auto const checked = tus::CheckTemplates(std::span(&added, 1)); !checked) {
      return Wrong("--metadata: " + checked.error().message);
    }
    if (tus::NeedMachineId(std::span(&added, 1))) {
      return Wrong("--metadata is " + Quoted(pair) +
                   ": {machine-id} is for mounts of tusfs; take {host}, or write the name itself");
    }
    std::erase_if(options.metadata, [&](auto const& other) { return other.key == added.key; });
    if (!added.value.empty()) options.metadata.push_back(added);
  }
  return {};
}

Checked<void> SetRules(Options& options, Given const& given) {
  tus::Preset preset{.chunks = {}, .metadata = {{"filename", "{name}"}, {"filetype", "{type}"}}};
  if (!given.preset.empty()) {
    auto const found = tus::FindPreset(given.preset);
    if (!found) return Wrong("--preset: " + found.error().message);
    preset = *found;
  }
  options.chunks = preset.chunks;
  options.metadata = preset.metadata;
  options.client.headers = preset.headers;
  for (auto const& [option, text, size] :
       {std::tuple("--chunk-size", &given.chunk_size, &options.chunks.size),
        std::tuple("--chunk-multiple", &given.chunk_multiple, &options.chunks.multiple)}) {
    if (text->empty()) continue;
    auto const number = Size(option, *text);
    if (!number) return Wrong(number.error());
    *size = *number;
  }
  if (given.exact_chunks) options.chunks.exact = true;
  if (auto const checked = options.chunks.Check(); !checked) {
    return Wrong("--chunk-size and --chunk-multiple: " + checked.error().message);
  }
  if (auto added = AddMetadata(options, given.metadata); !added) return added;
  for (auto const& key : preset.required) {
    bool const there = std::any_of(options.metadata.begin(), options.metadata.end(),
                                   [&](auto const& pair) { return pair.key == key; });
    if (!there) return Wrong("--preset " + given.preset + " needs --metadata " + key + "=…");
  }
  if (options.FromStandardInput() && !preset.defer_length && !options.abandon) {
    return Wrong("--preset " + given.preset +
                 ": this service takes no upload whose size is not known, as that of standard "
                 "input; write it to a file and upload this");
  }
  return {};
}

std::vector<std::string> Words(std::string const& text) {
  std::istringstream in(text);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

Checked<void> SetCredentials(Options& options, Given const& given) {
  std::vector<std::pair<std::string, std::string>> sources;
  for (auto const& [option, value] : {std::pair("--token-file", &given.token_file),
                                      {"--basic-file", &given.basic_file},
                                      {"--header-file", &given.header_file},
                                      {"--token-command", &given.token_command},
                                      {"--netrc-file", &given.netrc_file}}) {
    if (!value->empty()) sources.emplace_back(option, *value);
  }
  if (sources.empty()) return {};
  auto const& [option, value] = sources.front();
  if (sources.size() > 1) {
    return Wrong(option + " and " + sources[1].first +
                 " are two sources of credentials: give one of them");
  }
  auto const file = tus::CredentialFile(value);
  if (option == "--token-file") options.credentials = tus::BearerFromFile(file);
  if (option == "--basic-file") options.credentials = tus::BasicFromFile(file);
  if (option == "--header-file") options.credentials = tus::HeadersFromFile(file);
  if (option == "--netrc-file") options.credentials = tus::FromNetrc(file);
  if (option == "--token-command") {
    options.credentials = tus::BearerFromCommand(Words(value), kCommandTimeout);
  }
  options.client.credentials = options.credentials.get();
  options.credentials_option = option;
  return {};
}

Checked<void> SetConnection(Options& options, Given const& given) {
  using Ip = tus::CurlTransportOptions::Ip;
  static std::map<std::string, Ip> const versions{{"any", Ip::kAny}, {"4", Ip::k4}, {"6", Ip::k6}};
  auto& transport = options.transport;
  auto const version = versions.find(given.ip_version);
  if (version == versions.end()) {
    return Wrong("--ip-version is " + Quoted(given.ip_version) + ": it takes any, 4 or 6");
  }
  transport.ip = version->second;
  transport.user_agent = "tus-upload/" TUS_UPLOAD_VERSION;
  for (auto const& [option, file] : {std::pair("--ca-file", &transport.ca_file),
                                     {"--client-cert", &transport.client_cert},
                                     {"--client-key", &transport.client_key}}) {
    if (auto readable = CheckReadable(option, *file); !readable) return readable;
  }
  if (!transport.client_key.empty() && transport.client_cert.empty()) {
    return Wrong("--client-key needs --client-cert");
  }
  for (auto const& origin : given.trust_origin) {
    if (auto const url = tus::NormalizeEndpoint(origin); !url) {
      return Wrong("--trust-origin: " + url.error().message);
    }
  }
  options.client.trusted_origins = given.trust_origin;
  if (given.limit_rate.empty()) return {};
  auto const rate = Size("--limit-rate", given.limit_rate);
  if (!rate) return Wrong(rate.error());
  options.limit_rate = *rate;
  return {};
}

Checked<std::string> NormalUrl(std::string const& text) {
  auto const url = tus::NormalizeEndpoint(text);
  if (url) return *url;
  // What has a user name in it is not repeated: a password may follow.
  bool const secret = text.find('@') != std::string::npos;
  return Wrong("cannot upload to " + (secret ? "that URL" : Quoted(text)) + ": " +
               url.error().message + "; write it like https://host/files/");
}

/// An upload that was made elsewhere: its server is the one that is meant.
Checked<void> SetUploadUrl(Options& options, Given const& given) {
  auto text = given.upload_url;
  if (!given.upload_url_file.empty()) {
    if (!text.empty()) return Wrong("--upload-url and --upload-url-file: give one of them");
    auto readable = CheckReadable("--upload-url-file", given.upload_url_file);
    if (!readable) return readable;
    std::ifstream file(given.upload_url_file);
    if (!std::getline(file, text) || text.empty()) {
      return Wrong("--upload-url-file: the file " + Quoted(given.upload_url_file) +
                   " has no URL in its first line");
    }
  }
  auto const url = NormalUrl(text);
  if (!url) return Wrong(url.error());
  options.upload_url = options.client.endpoint = *url;
  options.files = given.files;
  if (!given.url.empty()) options.files.insert(options.files.begin(), given.url);
  bool const is_one = options.files.size() == 1 && options.files.front() != "-";
  if (!is_one || options.recursive || options.abandon) {
    return Wrong("--upload-url fills one upload with one file: tus-upload --upload-url URL FILE");
  }
  return {};
}

Checked<void> SetUrlAndFiles(Options& options, Given const& given) {
  bool const is_made = !given.upload_url.empty() || !given.upload_url_file.empty();
  if (is_made) return SetUploadUrl(options, given);
  if (given.url.empty()) return Wrong("no URL given: tus-upload URL FILE...");
  auto const url = NormalUrl(given.url);
  if (!url) return Wrong(url.error());
  options.client.endpoint = *url;
  options.files = given.files;
  if (options.files.empty()) {
    return Wrong("no file given: name some, or - for standard input");
  }
  return {};
}

Checked<void> SetParts(Options& options, Given const& given) {
  auto const parts = Count("--parts", given.parts, tus::ParallelUpload::kMostParts);
  if (!parts) return Wrong(parts.error());
  options.parts = *parts;
  if (options.parts == 1) return {};
  if (options.FromStandardInput()) {
    return Wrong("--parts: standard input goes in one; write it to a file and upload this");
  }
  if (!options.upload_url.empty()) {
    return Wrong("--parts: an upload that was made elsewhere is filled in one");
  }
  if (options.sha256) {
    return Wrong(
        "--parts and --sha256: the digest goes with the last bytes of a file that is sent "
        "in one; leave one of them out");
  }
  return {};
}

Checked<void> SetWhat(Options& options, Given const& given) {
  if (auto const set = SetUrlAndFiles(options, given); !set) return set;
  bool const standard_input =
      std::find(options.files.begin(), options.files.end(), "-") != options.files.end();
  if (standard_input && options.files.size() > 1) {
    return Wrong("standard input (-) is uploaded alone: run tus-upload once more for the files");
  }
  auto const jobs = Count("--jobs", given.jobs, kMostJobs);
  if (!jobs) return Wrong(jobs.error());
  options.jobs = *jobs;
  if (auto const set = SetParts(options, given); !set) return set;
  if (given.name.empty()) return Wrong("--name is empty: it takes a name for standard input");
  options.name = given.name;
  options.state_dir =
      given.state_dir.empty() ? DefaultStateDirectory() : std::filesystem::path(given.state_dir);
  if (options.state_dir.empty()) {
    return Wrong("there is no home directory to remember uploads in: name one with --state-dir");
  }
  if (given.checksum != "auto" && given.checksum != "off") {
    return Wrong("--checksum is " + Quoted(given.checksum) + ": it takes auto or off");
  }
  options.checksums = given.checksum == "auto";
  if (options.quiet && options.verbose) return Wrong("--quiet and --verbose exclude each other");
  if (!given.give_up) return {};
  if (!(*given.give_up >= 0 && *given.give_up <= kLongestPatience)) {
    return Wrong("--give-up takes seconds, 0 or more");
  }
  options.give_up = std::chrono::milliseconds(std::llround(*given.give_up * 1000));
  return {};
}

Invocation Rejected(std::string const& sentence) {
  return {.options = std::nullopt,
          .output = "tus-upload: " + Printable(sentence) + "\n",
          .status = kUsageError};
}

}  // namespace

Invocation ParseCommandLine(int argc, char const* const* argv) {
  CLI::App app{
      "Uploads files, or standard input where FILE is -, to a tus server. What was interrupted "
      "goes on when the same command is run again.",
      "tus-upload"};
  app.set_version_flag("--version,-V", std::string("tus-upload " TUS_UPLOAD_VERSION));
  Given given;
  Options options;
  // A script's options can be overridden by those that follow.
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.add_option("URL", given.url, "http or https URL of the tus endpoint")->option_text(" ");
  app.add_option("FILE", given.files, "what to upload")
      ->option_text(" ...")
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  AddSending(app, given, options);
  AddConnection(app, given, options);
  try {
    app.parse(argc, argv);
  } catch (CLI::ParseError const& stop) {
    std::ostringstream out;
    std::ostringstream err;
    int const status = app.exit(stop, out, err);
    if (status == 0) return {.options = std::nullopt, .output = out.str(), .status = 0};
    return Rejected(std::string(stop.what()) + " ('tus-upload --help' shows the usage)");
  }
  for (auto const& set : {SetWhat, SetRules, SetCredentials, SetConnection}) {
    if (auto const done = set(options, given); !done) return Rejected(done.error());
  }
  return {.options = std::move(options), .output = {}, .status = 0};
}

}  // namespace tus_upload
