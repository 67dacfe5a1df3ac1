#include "metrics/mount_metrics.h"

#include <prometheus/text_serializer.h>

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "base/text.h"

namespace tusfs {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr double kSecond = 1e9;  // of FileTime

// A rule can ask for a state in which no file is.
constexpr std::string_view kAlways[] = {"failed",   "interrupted", "local-only",
                                        "queued",   "settling",    "unconfirmed",
                                        "uploaded", "uploading",   "writing"};

MetricFamily GaugeOf(char const* name, char const* help, double value) {
  ClientMetric metric;
  metric.gauge.value = value;
  return {name, help, MetricType::Gauge, {metric}};
}

MetricFamily CounterOf(char const* name, char const* help, std::uint64_t value) {
  ClientMetric metric;
  metric.counter.value = static_cast<double>(value);
  return {name, help, MetricType::Counter, {metric}};
}

MetricFamily Bytes(char const* name, char const* help, std::uint64_t value) {
  return GaugeOf(name, help, static_cast<double>(value));
}

MetricFamily Files(std::map<std::string_view, std::uint64_t> files) {
  for (auto const& state : kAlways) files.try_emplace(state, 0);
  MetricFamily family{"tusfs_files", "Files by state", MetricType::Gauge, {}};
  for (auto const& [state, count] : files) {
    ClientMetric metric;
    metric.label = {{"state", std::string(state)}};
    metric.gauge.value = static_cast<double>(count);
    family.metric.push_back(std::move(metric));
  }
  return family;
}

// Prometheus takes UTF-8 alone; a path may be anything.
std::string Label(std::string const& path) {
  using nlohmann::json;
  auto const quoted = json(Printable(path)).dump(-1, ' ', false, json::error_handler_t::replace);
  return json::parse(quoted).get<std::string>();
}

/// A value of each link.
template <typename Value>
MetricFamily OfLinks(std::vector<LinkReport> const& links, MetricFamily family,
                     Value const& value) {
  for (auto const& link : links) {
    ClientMetric metric;
    metric.label = {{"link", link.options.name}};
    auto const number = static_cast<double>(value(link));
    (family.type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = number;
    family.metric.push_back(std::move(metric));
  }
  return family;
}

std::vector<MetricFamily> LinkMetrics(std::vector<LinkReport> const& links) {
  if (links.empty()) return {};
  return {OfLinks(links,
                  {"tusfs_link_bytes_total",
                   "Bytes that left through the link, and a twentieth for what HTTP, TLS and TCP "
                   "add",
                   MetricType::Counter,
                   {}},
                  [](LinkReport const& link) { return link.usage.total; }),
          OfLinks(links, {"tusfs_link_up", "1 while its interface is up", MetricType::Gauge, {}},
                  [](LinkReport const& link) { return link.is_up ? 1 : 0; }),
          OfLinks(links,
                  {"tusfs_link_transfers", "Transfers that it carries now", MetricType::Gauge, {}},
                  [](LinkReport const& link) { return link.sending; }),
          OfLinks(links,
                  {"tusfs_link_budget_spent", "1 while its budget is spent", MetricType::Gauge, {}},
                  [](LinkReport const& link) { return link.state == "spent" ? 1 : 0; })};
}

MetricFamily Build(std::string const& version) {
  auto family = GaugeOf("tusfs_build_info", "Always 1; the version is a label", 1);
  family.metric.front().label = {{"version", version}};
  return family;
}

}  // namespace

std::string MountMetrics(MountFacts const& facts, StatusReport const& status,
                         RequestMetrics const& requests, FileTime now) {
  auto const& server = status.server;
  auto families = requests.Collect();
  auto const add = [&](MetricFamily family) { families.push_back(std::move(family)); };
  add(Build(facts.version));
  add(GaugeOf("tusfs_up", "Whether the daemon answers", 1));
  add(GaugeOf("tusfs_start_time_seconds", "When the daemon was started, since 1970",
              facts.started_at));
  add(Files(status.files));
  add(Bytes("tusfs_accepted_bytes", "Bytes of the files that are to be on the server",
            status.accepted));
  add(Bytes("tusfs_confirmed_bytes", "Of these, bytes that the server has confirmed",
            status.confirmed));
  add(GaugeOf("tusfs_oldest_unsent_age_seconds",
              "For how long the file that waits longest is not on the server; 0: none waits",
              static_cast<double>(status.OldestUnsentAge(now).count())));
  add(CounterOf("tusfs_sent_bytes_total", "Body bytes sent since the state directory was made",
                status.sent));
  add(CounterOf("tusfs_resent_bytes_total", "Of these, bytes that were sent before",
                status.resent));
  add(Bytes("tusfs_spool_used_bytes", "Local disk that the spool takes", status.spool_used));
  add(Bytes("tusfs_spool_limit_bytes", "Local disk that it may take", status.spool_limit));
  add(GaugeOf("tusfs_waiting_files", "Files whose writers wait for room",
              static_cast<double>(status.waiting)));
  add(Bytes("tusfs_interrupted_bytes", "Bytes here of interrupted files", status.interrupted));
  add(CounterOf("tusfs_dropped_files_total", "Interrupted files that were given up to make room",
                status.dropped_files));
  add(GaugeOf("tusfs_server_reachable", "1 while the server answers as a tus server",
              server.reachable ? 1 : 0));
  add(GaugeOf("tusfs_server_changed_time_seconds", "When that changed last, since 1970",
              static_cast<double>(server.since) / kSecond));
  for (auto& family : LinkMetrics(status.links)) add(std::move(family));
  auto const mount = Label(facts.mount);
  for (auto& family : families) {
    for (auto& metric : family.metric) metric.label.push_back({"mount", mount});
  }
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace tusfs
