#include "fleet/heartbeat.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/iso_time.h"

namespace tusfs {
namespace {

using nlohmann::json;

constexpr std::size_t kMostLinks = 16;
constexpr std::size_t kLongestWords = 400;  // bytes
constexpr int kFormat = 1;

std::uint64_t CountOf(StatusReport const& status, std::string_view state) {
  auto const found = status.files.find(state);
  return found == status.files.end() ? 0 : found->second;
}

std::uint64_t CountGoing(StatusReport const& status) {
  return CountOf(status, "writing") + CountOf(status, "settling") + CountOf(status, "queued") +
         CountOf(status, "uploading");
}

json DiskOf(HeartbeatFacts const& facts, StatusReport const& status) {
  json disk{{"used", status.spool_used},
            {"limit", status.spool_limit},
            {"free", nullptr},
            {"size", nullptr},
            {"waiting", status.waiting}};
  struct statvfs disk_of {};
  if (::statvfs(facts.state_dir.c_str(), &disk_of) != 0) return disk;
  disk["free"] = static_cast<std::uint64_t>(disk_of.f_bavail) * disk_of.f_frsize;
  disk["size"] = static_cast<std::uint64_t>(disk_of.f_blocks) * disk_of.f_frsize;
  return disk;
}

}  // namespace

std::vector<NetworkLink> NetworkLinks() {
  std::vector<NetworkLink> links;
  std::error_code none;
  for (auto const& entry : std::filesystem::directory_iterator("/sys/class/net", none)) {
    auto const name = entry.path().filename().string();
    if (name == "lo") continue;
    auto state = ReadSmallFile(entry.path() / "operstate").value_or("");
    while (!state.empty() && state.back() == '\n') state.pop_back();
    if (!state.empty()) links.push_back({name, std::move(state)});
  }
  std::sort(links.begin(), links.end(), [](auto& a, auto& b) { return a.name < b.name; });
  if (links.size() > kMostLinks) links.resize(kMostLinks);
  return links;
}

std::string HeartbeatOf(HeartbeatFacts const& facts, StatusReport const& status,
                        std::vector<NetworkLink> const& links, FileTime now,
                        std::optional<std::uint64_t> rate) {
  json server{{"reachable", status.server.reachable}, {"error", nullptr}};
  if (!status.server.error.empty()) {
    server["error"] = status.server.error.substr(0, kLongestWords);
  }
  json oldest;
  if (!status.oldest_unsent.empty()) {
    oldest = {{"path", status.oldest_unsent}, {"age", status.OldestUnsentAge(now).count()}};
  }
  json interfaces = json::array();
  for (auto const& link : links) interfaces.push_back({{"name", link.name}, {"state", link.state}});
  json beat{{"tusfs_heartbeat", kFormat},
            {"version", facts.version},
            {"host", facts.host},
            {"machine_id", facts.machine_id},
            {"mount", facts.mount},
            {"url", facts.url},
            {"time", IsoUtc(now)},
            {"interval", facts.interval.count()},
            {"paused", facts.paused},
            {"server", std::move(server)},
            {"backlog",
             {{"files", CountGoing(status)},
              {"bytes", status.accepted - std::min(status.accepted, status.confirmed)}}},
            {"oldest_unsent", std::move(oldest)},
            {"stuck",
             {{"interrupted", CountOf(status, "interrupted")},
              {"failed", CountOf(status, "failed")},
              {"unconfirmed", CountOf(status, "unconfirmed")}}},
            {"uploaded", CountOf(status, "uploaded")},
            {"sent", status.sent},
            {"rate", nullptr},
            {"disk", DiskOf(facts, status)},
            {"links", std::move(interfaces)}};
  if (rate) beat["rate"] = *rate;
  // Names are bytes and need not be UTF-8.
  return beat.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

std::string HeartbeatPath(HeartbeatFacts const& facts) {
  auto mount = facts.mount;
  std::replace(mount.begin(), mount.end(), '/', '-');
  auto const rig = facts.machine_id.empty() ? facts.host : facts.machine_id;
  return ".tusfs/" + rig + "/heartbeat" + mount + ".json";
}

}  // namespace tusfs
