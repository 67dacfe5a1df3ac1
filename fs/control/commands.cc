#include "control/commands.h"

#include <algorithm>
#include <ctime>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "control/answers.h"

namespace tusfs {
namespace {

using nlohmann::json;

std::string Dump(json const& object) {
  // Names are bytes and need not be UTF-8.
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

json Problem(std::string const& sentence) { return {{"error", sentence}}; }

// One spelling for each path, because what is beneath it is told by its text.
std::string Spell(std::string_view path) {
  std::string spelled;
  while (!path.empty()) {
    auto const end = std::min(path.find('/'), path.size());
    auto const name = path.substr(0, end);
    path.remove_prefix(std::min(end + 1, path.size()));
    if (name.empty() || name == ".") continue;
    if (!spelled.empty()) spelled += '/';
    spelled += name;
  }
  return spelled;
}

std::string Timestamp(FileTime time) {
  auto const seconds = static_cast<std::time_t>(time / 1'000'000'000);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

json Files(Result<std::vector<FileReport>> const& reports, std::string const& path,
           bool with_urls) {
  if (!reports) return Problem("'" + path + "': " + Describe(reports.error()));
  json files = json::array();
  for (auto const& report : *reports) {
    json file{{"path", report.path}, {"state", report.state},   {"size", report.size},
              {"held", report.held}, {"offset", report.offset}, {"finishes", report.finishes},
              {"error", nullptr}};
    if (!report.error.empty()) file["error"] = report.error;
    if (report.expires != 0) file["expires"] = Timestamp(report.expires);
    if (with_urls) file["url"] = report.url;
    files.push_back(std::move(file));
  }
  return {{"files", std::move(files)}};
}

json Decided(Result<Decisions::Outcomes> const& outcomes, std::string const& path) {
  if (!outcomes) return Problem("'" + path + "': " + Describe(outcomes.error()));
  json files = json::array();
  for (auto const& outcome : *outcomes) {
    json file{{"path", outcome.path}, {"done", outcome.refusal.empty()}, {"error", nullptr}};
    if (!outcome.refusal.empty()) file["error"] = outcome.refusal;
    files.push_back(std::move(file));
  }
  return {{"files", std::move(files)}};
}

json Status(Result<StatusReport> const& status, MountEntry const& entry) {
  if (!status) return Problem(Describe(status.error()));
  json files = json::object();
  for (auto const& [state, count] : status->files) files[std::string(state)] = count;
  json server{{"reachable", status->server.reachable},
              {"since", Timestamp(status->server.since)},
              {"error", nullptr}};
  if (!status->server.error.empty()) server["error"] = status->server.error;
  json spool{{"used", status->spool_used},
             {"limit", status->spool_limit},
             {"waiting", status->waiting},
             {"interrupted", status->interrupted},
             {"oldest_interrupted", nullptr},
             {"dropped_files", status->dropped_files},
             {"dropped_bytes", status->dropped_bytes}};
  if (!status->oldest_interrupted.empty()) {
    spool["oldest_interrupted"] = status->oldest_interrupted;
  }
  return {{"mount", entry.mount},
          {"url", entry.url},
          {"daemon_pid", entry.daemon_pid},
          {"writer_ends", entry.writer_ends},
          {"server", std::move(server)},
          {"files", std::move(files)},
          {"bytes",
           {{"accepted", status->accepted},
            {"confirmed", status->confirmed},
            {"held", status->held},
            {"remaining", status->accepted - status->confirmed},
            {"sent", status->sent},
            {"resent", status->resent}}},
          {"spool", std::move(spool)}};
}

std::optional<Decisions::Rest> RestOf(std::string const& text) {
  if (text.empty()) return Decisions::Rest::kAsk;
  if (text == "take") return Decisions::Rest::kTake;
  if (text == "drop") return Decisions::Rest::kDrop;
  return std::nullopt;
}

}  // namespace

std::string Commands::Summary() const {
  auto const status = reporter_.Status();
  return status ? SummaryOf(Status(status, entry_)) : Describe(status.error());
}

std::string Commands::Answer(std::string const& request) const {
  auto const object = json::parse(request, nullptr, false);
  if (!object.is_object()) return Dump(Problem("the request is not a JSON object"));
  auto const text = [&](char const* field) {
    auto const found = object.find(field);
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
  };
  auto const wants_urls = object.find("urls");
  bool const urls =
      wants_urls != object.end() && wants_urls->is_boolean() && wants_urls->get<bool>();
  auto const command = text("command");
  auto const path = Spell(text("path"));
  if (command == "status") return Dump(Status(reporter_.Status(), entry_));
  if (command == "list") return Dump(Files(reporter_.List(path), path, urls));
  if (command == "unfinished") return Dump(Files(reporter_.Unfinished(path), path, urls));
  if (command == "publish") {
    auto const rest = RestOf(text("rest"));
    return Dump(rest ? Decided(decisions_.Publish(path, *rest), path)
                     : Problem("the rest of a file is taken or dropped, nothing else"));
  }
  if (command == "retry") return Dump(Decided(decisions_.Retry(path), path));
  if (command == "accept") return Dump(Decided(decisions_.Accept(path), path));
  if (command == "discard") return Dump(Decided(decisions_.Discard(path), path));
  return Dump(Problem("unknown command '" + command + "'"));
}

}  // namespace tusfs
