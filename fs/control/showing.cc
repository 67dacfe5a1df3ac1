#include "control/showing.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/text.h"
#include "control/answers.h"
#include "control/check.h"
#include "control/outcome.h"
#include "control/place.h"

namespace tusfs {
namespace {

using nlohmann::json;

int Check(std::vector<Place> const& places, std::optional<std::chrono::seconds> max_age) {
  std::vector<CheckResult> results;
  auto worst = Health::kOk;
  for (auto const& place : places) {
    results.push_back(CheckMount(AskStatus(place).status, max_age));
    worst = std::max(worst, results.back().health);
  }
  std::fputs(ShowCheck(std::move(results)).c_str(), stdout);
  return static_cast<int>(worst);
}

// Monitoring reads standard output.
int CheckNothing(std::string const& why) {
  std::printf("TUSFS CRITICAL - %s\n", Printable(why).c_str());
  return static_cast<int>(Health::kCritical);
}

int ShowAll(std::vector<Place> const& places, bool as_json) {
  auto all = json::array();
  int code = kDone;
  for (auto const& place : places) {
    auto asked = AskStatus(place);
    if (!as_json) Print(asked.status, false, ShowMount);
    if (!asked.silent.empty()) code = Complain(asked.silent);
    all.push_back(std::move(asked.status));
  }
  if (as_json) Print({{"mounts", std::move(all)}}, true, nullptr);
  return code;
}

int ShowOne(Place const& place, bool as_json) {
  auto const asked = AskStatus(place);
  if (asked.silent.empty() || KeeperOf(place.mount) != 0) {
    Print(asked.status, as_json, ShowMount);
  }
  return asked.silent.empty() ? kDone : Complain(asked.silent);
}

std::vector<Place> AllPlaces() {
  std::vector<Place> places;
  for (auto& mount : ListMounts()) places.push_back({std::move(mount), ""});
  return places;
}

json AskBacklog(MountEntry const& mount) {
  auto const answer = Request({mount, ""}, "backlog");
  auto entry = AboutProcesses(mount, answer.has_value());
  entry["backlog"] = nullptr;
  if (answer) {
    entry["backlog"] = *answer;
    entry["state"] = answer->value("paused", false)      ? "paused"
                     : answer->value("reachable", false) ? "serving"
                                                         : "waiting for the server";
  } else if (answer.error().code != ENOTCONN) {
    entry["state"] = "serving";  // by a daemon that does not say how much is left
  } else {
    entry["state"] = KeeperOf(mount) == 0 ? "dead" : "without a daemon";
  }
  return entry;
}

}  // namespace

json AboutProcesses(MountEntry const& entry, bool daemon_answers) {
  auto const text = [](std::string const& value) { return value.empty() ? json() : json(value); };
  auto const pid = [](pid_t number) { return number == 0 ? json() : json(number); };
  return {{"mount", entry.mount},
          {"url", entry.url},
          {"daemon_pid", pid(daemon_answers ? entry.daemon_pid : 0)},
          {"keeper_pid", pid(KeeperOf(entry))},
          {"restarts", entry.starts == 0 ? 0 : entry.starts - 1},
          {"last_end", text(entry.last_end)},
          {"problem", text(entry.problem)},
          {"import", text(entry.import)}};
}

AskedStatus AskStatus(Place const& place) {
  auto answer = Request(place, "status");
  auto const processes = AboutProcesses(Refreshed(place.mount), answer.has_value());
  if (!answer) return {.status = processes, .silent = answer.error().context};
  if (place.mount.is_others) {
    auto status = processes;  // of which nothing is known here
    status.update(*answer);
    return {.status = std::move(status), .silent = ""};
  }
  answer->update(processes);
  return {.status = *std::move(answer), .silent = ""};
}

int ShowStatus(StatusOptions const& options) {
  std::vector<Place> places;
  if (options.all) {
    places = AllPlaces();
    auto const* const none = "no tusfs is mounted: start one with 'tusfs URL MOUNTPOINT'";
    if (places.empty()) return options.check ? CheckNothing(none) : Complain(none);
  } else {
    auto place = FindPlace(options.path);
    if (!place) {
      auto const& why = place.error().context;
      return options.check ? CheckNothing(why) : Complain(why);
    }
    places.push_back(*std::move(place));
  }
  if (options.check) return Check(places, options.max_age);
  return options.all ? ShowAll(places, options.as_json) : ShowOne(places[0], options.as_json);
}

int ShowMounts(bool as_json) {
  auto mounts = json::array();
  for (auto const& mount : ListMounts()) mounts.push_back(AskBacklog(mount));
  Print({{"mounts", std::move(mounts)}}, as_json, ShowMountList);
  return kDone;
}

int ShowPageLink(std::string const& path) {
  auto const place = FindPlace(path);
  if (!place) return Complain(place.error().context);
  auto const answer = Request(*place, "page");
  if (!answer) return Complain(answer.error().context);
  auto const address = Printable(TextOf(*answer, "address"));
  auto const token = Printable(TextOf(*answer, "token"));
  if (address.starts_with("unix:")) {
    std::printf("%s\ntoken %s\n", address.c_str(), token.c_str());
  } else {
    std::printf("%s?token=%s\n", address.c_str(), token.c_str());
  }
  return kDone;
}

int ListFiles(ListOptions const& options) {
  auto const place = FindPlace(options.path);
  if (!place) return Complain(place.error().context);
  FilePrinter printer(options.as_json);
  auto const show = [&](json const& file) {
    if (!options.stuck) return printer.Print(file);
    if (!NeedsSomebody(file)) return;
    auto with_advice = file;
    with_advice["advice"] = AdviceFor(file, place->mount.mount + "/" + TextOf(file, "path"));
    printer.Print(with_advice);
  };
  auto const listed =
      VisitFiles(*place, options.stuck ? "unfinished" : "list", {{"urls", options.urls}}, show);
  if (!listed) return Complain(listed.error().context);
  printer.End();
  return kDone;
}

}  // namespace tusfs
