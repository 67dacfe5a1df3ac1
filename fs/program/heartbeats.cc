#include "program/heartbeats.h"

#include <tusclient/origin.h>
#include <tusclient/preset.h>
#include <tusclient/redact.h>

#include <cerrno>
#include <optional>
#include <utility>
#include <vector>

#include "base/machine.h"
#include "fleet/heartbeat.h"
#include "options/upload_settings.h"
#include "version.h"

namespace tusfs {
namespace {

HeartbeatFacts FactsOf(Options const& options, std::string const& url) {
  HeartbeatFacts facts;
  facts.version = kVersion;
  facts.host = HostName();
  facts.machine_id = MachineId();
  facts.mount = options.mountpoint;
  facts.url = tus::RedactUrl(url);
  facts.state_dir = options.state_dir;
  facts.interval = options.heartbeat;
  return facts;
}

// As a file of this path would have it, and a word by which it is told from one.
tus::Metadata MetadataOf(std::vector<tus::MetadataTemplate> const& templates,
                         HeartbeatFacts const& facts, FileTime now) {
  tus::FileFacts const file{.path = HeartbeatPath(facts),
                            .type = "application/json",
                            .modified = now / 1'000'000'000,
                            .size = {},
                            .id = Uuid::Random().ToString(),
                            .sha1 = {},
                            .host = facts.host,
                            .machine_id = facts.machine_id};
  auto metadata = tus::Expand(templates, file);
  metadata.emplace_back("tusfsHeartbeat", "1");
  return metadata;
}

/// What was sent, and when, at the last one.
class Maker {
 public:
  Maker(HeartbeatParts const& parts, HeartbeatFacts facts)
      : reporter_(parts.reporter),
        controls_(parts.controls),
        clock_(parts.clock),
        facts_(std::move(facts)) {}

  Result<std::string> operator()() {
    auto const status = reporter_.Status();
    if (!status) return Failure(status.error());
    auto const now = clock_.Steady();
    std::optional<std::uint64_t> rate;
    auto const seconds = std::chrono::duration_cast<std::chrono::seconds>(now - at_).count();
    if (has_one_ && seconds > 0 && status->sent >= sent_) {
      rate = (status->sent - sent_) / static_cast<std::uint64_t>(seconds);
    }
    has_one_ = true;
    at_ = now;
    sent_ = status->sent;
    facts_.host = HostName();
    facts_.paused = controls_.IsPaused();
    return HeartbeatOf(facts_, *status, NetworkLinks(), clock_.Wall(), rate);
  }

 private:
  Reporter const& reporter_;
  Controls const& controls_;
  Clock const& clock_;
  HeartbeatFacts facts_;
  bool has_one_ = false;
  SteadyTime at_{};
  std::uint64_t sent_ = 0;
};

}  // namespace

Result<std::unique_ptr<HeartbeatSender>> MakeHeartbeats(HeartbeatParts const& parts,
                                                        Logger logger) {
  auto const& options = parts.options;
  if (options.heartbeat.count() == 0) return nullptr;
  auto uploading = UploaderOptionsOf(options, parts.url, parts.credentials, parts.bandwidth);
  if (!uploading) return Failure(uploading.error());
  HeartbeatOptions wanted;
  wanted.interval = options.heartbeat;
  wanted.client = uploading->client;
  wanted.make_transport = uploading->make_transport;
  if (!options.heartbeat_url.empty()) {
    wanted.client.endpoint = options.heartbeat_url;
    if (!tus::AreOfOneOrigin(options.heartbeat_url, parts.url)) {
      wanted.client.credentials = nullptr;
      wanted.client.headers.clear();
      wanted.client.trusted_origins.clear();
    }
  }
  auto const facts = FactsOf(options, parts.url);
  wanted.metadata = [templates = uploading->transfer.metadata, facts, &clock = parts.clock] {
    return MetadataOf(templates, facts, clock.Wall());
  };
  return std::make_unique<HeartbeatSender>(std::move(wanted), Maker(parts, facts),
                                           std::move(logger));
}

}  // namespace tusfs
