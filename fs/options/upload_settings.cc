#include "options/upload_settings.h"

#include <algorithm>
#include <cerrno>

#include "uploader/target.h"
#include "version.h"

namespace tusfs {
namespace {

constexpr std::chrono::seconds kCommandTimeout{30};
constexpr std::uint64_t kLongestBody = std::uint64_t{1} << 30;

tus::CurlTransportOptions TransportOptionsOf(Options const& options,
                                             tus::BandwidthLimit& bandwidth) {
  tus::CurlTransportOptions transport;
  transport.user_agent = std::string("tusfs/") + kVersion;
  transport.ca_file = options.ca_file;
  transport.client_cert = options.client_cert;
  transport.client_key = options.client_key;
  transport.interface = options.interface;
  transport.ip = options.ip_version;
  transport.http2 = options.http2;
  transport.bandwidth = &bandwidth;
  return transport;
}

/// A limit of its own within the mount's, and sockets that are bound to the interface where the
/// system allows it, else to its address.
LinkWay WayOf(LinkOptions const& link, tus::CurlTransportOptions transport,
              tus::BandwidthLimit& bandwidth) {
  auto const limit = std::make_shared<tus::BandwidthLimit>(link.limit, &bandwidth);
  transport.interface = "if!" + link.interface;
  transport.bandwidth = limit.get();
  return {.options = link, .make_transport = [transport = std::move(transport), limit] {
            return tus::MakeCurlTransport(transport);
          }};
}

/// No rule may take away what the preset's service wants.
Result<void> CheckRequired(Options const& options, std::string const& key) {
  for (auto const& rule : options.rules) {
    bool const takes_away = std::ranges::any_of(
        rule.metadata, [&](auto const& said) { return said.key == key && said.value.empty(); });
    if (!takes_away) continue;
    return Fail(EINVAL, rule.place + ": a rule leaves the metadata " + key +
                            " out, which --preset " + options.preset + " needs");
  }
  return {};
}

}  // namespace

Result<UploadRules> UploadRulesOf(Options const& options) {
  UploadRules rules;
  rules.metadata = DefaultMetadata();
  std::vector<std::string> required;
  if (!options.preset.empty()) {
    auto const preset = tus::FindPreset(options.preset);
    if (!preset) return Fail(EINVAL, "--preset: " + preset.error().message);
    rules = {preset->chunks, preset->defer_length, preset->metadata, preset->headers};
    required = preset->required;
  }
  if (options.chunk_size) rules.chunks.size = *options.chunk_size;
  if (!options.chunk_size && options.preset.empty()) rules.chunks.longer = kLongestBody;
  if (options.chunk_multiple) rules.chunks.multiple = *options.chunk_multiple;
  if (options.exact_chunks) rules.chunks.exact = true;
  if (auto const checked = rules.chunks.Check(); !checked) {
    return Fail(EINVAL, checked.error().message);
  }
  // Whoever makes uploads elsewhere has to say how long they are.
  if (!options.create_command.empty()) rules.defer_length = false;
  for (auto const& added : options.metadata) {
    std::erase_if(rules.metadata, [&](auto const& other) { return other.key == added.key; });
    if (!added.value.empty()) rules.metadata.push_back(added);
  }
  for (auto const& key : required) {
    bool const there = std::any_of(rules.metadata.begin(), rules.metadata.end(),
                                   [&](auto const& pair) { return pair.key == key; });
    if (!there) {
      return Fail(EINVAL, "--preset " + options.preset + " needs --metadata " + key + "=…");
    }
    if (auto const left = CheckRequired(options, key); !left) return Failure(left.error());
  }
  return rules;
}

std::unique_ptr<tus::Credentials> MakeCredentials(Options const& options) {
  if (!options.token_file.empty()) return tus::BearerFromFile(options.token_file);
  if (!options.basic_file.empty()) return tus::BasicFromFile(options.basic_file);
  if (!options.header_file.empty()) return tus::HeadersFromFile(options.header_file);
  if (!options.netrc_file.empty()) return tus::FromNetrc(options.netrc_file);
  if (!options.token_command.empty()) {
    return tus::BearerFromCommand(options.token_command, kCommandTimeout);
  }
  return nullptr;
}

Result<UploaderOptions> UploaderOptionsOf(Options const& options, std::string const& url,
                                          tus::Credentials* credentials,
                                          tus::BandwidthLimit& bandwidth) {
  auto const rules = UploadRulesOf(options);
  if (!rules) return Failure(rules.error());
  UploaderOptions wanted;
  wanted.client.endpoint = url;
  wanted.client.credentials = credentials;
  wanted.client.trusted_origins = options.trust_origin;
  wanted.client.method_override = options.method_override;
  wanted.client.lenient = options.lenient;
  wanted.client.headers = rules->headers;
  wanted.chunks = rules->chunks;
  wanted.defer_length = rules->defer_length;
  wanted.transfers = options.transfers;
  wanted.transfer.metadata = rules->metadata;
  wanted.transfer.adopt_timeout = options.adopt_timeout;
  wanted.transfer.retry_refused = options.retry_refused;
  wanted.transfer.give_up = options.give_up;
  wanted.transfer.create.argv = options.create_command;
  wanted.transfer.checksums = options.checksums;
  wanted.transfer.verify = options.verify;
  wanted.transfer.sha256 = options.sha256;
  wanted.transfer.part_size = options.parts;
  wanted.transfer.delete_parts = options.delete_parts;
  auto const transport = TransportOptionsOf(options, bandwidth);
  wanted.make_transport = [transport] { return tus::MakeCurlTransport(transport); };
  for (auto const& link : options.links) {
    wanted.links.push_back(WayOf(link, transport, bandwidth));
  }
  wanted.patience = options.patience;
  return wanted;
}

}  // namespace tusfs
