#include "control/commands.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "base/clock.h"
#include "base/iso_time.h"
#include "control/answers.h"
#include "control/file_json.h"
#include "control/watchers.h"
#include "filesystem/backlog.h"

namespace tusfs {
namespace {

using nlohmann::json;

std::string Dump(json const& object) {
  // Names are bytes and need not be UTF-8.
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

json Problem(std::string const& sentence) { return {{"error", sentence}}; }

json Problem(Error const& error, std::string const& path) {
  return Problem("'" + path + "': " + Describe(error));
}

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

// {"files": […]}, sent as it comes.
class FileList {
 public:
  FileList(Commands::Sink const& send, bool with_urls) : send_(send), with_urls_(with_urls) {}

  bool Add(FileReport const& report) {
    text_ += is_begun_ ? "," : kHead;
    is_begun_ = true;
    text_ += Dump(ToJson(report, with_urls_));
    if (text_.size() < kPiece) return true;
    bool const is_taken = send_(text_);
    text_.clear();
    return is_taken;
  }

  void End(Result<void> const& listed, std::string const& path) {
    auto const problem = listed ? json() : Problem(listed.error(), path);
    if (!is_begun_) {
      send_(listed ? std::string(kHead) + "]}" : Dump(problem));
      return;
    }
    send_(text_ + (listed ? "]}" : "]," + Dump(problem).substr(1)));
  }

 private:
  static constexpr char const* kHead = "{\"files\":[";
  static constexpr std::size_t kPiece = 64 * 1024;

  Commands::Sink const& send_;
  bool const with_urls_;
  std::string text_;
  bool is_begun_ = false;
};

json Decided(Result<Decisions::Outcomes> const& outcomes, std::string const& path) {
  if (!outcomes) return Problem(outcomes.error(), path);
  json files = json::array();
  for (auto const& outcome : *outcomes) {
    json file{{"path", outcome.path}, {"done", outcome.refusal.empty()}, {"error", nullptr}};
    if (!outcome.refusal.empty()) file["error"] = outcome.refusal;
    files.push_back(std::move(file));
  }
  return {{"files", std::move(files)}};
}

// Null where no program is told anything.
json HooksOf(Hooks const& hooks) {
  if (!hooks.HasPrograms()) return nullptr;
  auto const report = hooks.report();
  json failure;
  if (report.failed_at != 0) {
    failure = {{"time", IsoUtc(report.failed_at)},
               {"event", report.failed_event},
               {"error", report.failure}};
  }
  return {{"waiting", report.waiting},
          {"told", report.told},
          {"lost", report.lost},
          {"failure", std::move(failure)}};
}

json JsonOf(LinkReport const& link) {
  json budget;
  if (link.options.budget) {
    bool const is_daily = link.options.budget->per == LinkOptions::Budget::Per::kDay;
    budget = {{"bytes", link.options.budget->bytes}, {"per", is_daily ? "day" : "month"}};
  }
  return {{"name", link.options.name},
          {"interface", link.options.interface},
          {"state", link.state},
          {"why", link.why.empty() ? json() : json(link.why)},
          {"up", link.is_up},
          {"sending", link.sending},
          {"rate", link.rate},
          {"today", link.usage.today},
          {"month", link.usage.month},
          {"total", link.usage.total},
          {"budget", std::move(budget)},
          {"cost", link.options.cost},
          {"limit", link.options.limit}};
}

json StatusOf(Result<StatusReport> const& status, MountEntry const& entry, Controls const& controls,
              PageLink const& page) {
  if (!status) return Problem(Describe(status.error()));
  json files = json::object();
  for (auto const& [state, count] : status->files) files[std::string(state)] = count;
  json server{{"reachable", status->server.reachable},
              {"since", IsoUtc(status->server.since)},
              {"error", nullptr}};
  if (!status->server.error.empty()) server["error"] = status->server.error;
  if (!status->server.no_parts.empty()) server["no_parts"] = status->server.no_parts;
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
  json oldest;
  if (!status->oldest_unsent.empty()) {
    oldest = {{"path", status->oldest_unsent},
              {"since", IsoUtc(status->oldest_unsent_at)},
              {"age", status->OldestUnsentAge(SystemClock().Wall()).count()}};
  }
  json links = json::array();
  for (auto const& link : status->links) links.push_back(JsonOf(link));
  return {{"mount", entry.mount},
          {"url", entry.url},
          {"daemon_pid", entry.daemon_pid},
          {"keeper_pid", entry.keeper_pid},
          {"links", std::move(links)},
          {"paused", controls.IsPaused()},
          {"limit", controls.limit()},
          {"log_level", controls.log_level()},
          {"page", page.address.empty() ? json() : json(page.address)},
          {"oldest_unsent", std::move(oldest)},
          {"writer_ends", entry.writer_ends},
          {"server", std::move(server)},
          {"files", std::move(files)},
          {"beneath", JsonOf(status->beneath)},
          {"bytes",
           {{"accepted", status->accepted},
            {"confirmed", status->confirmed},
            {"sending", status->sending},
            {"held", status->held},
            {"remaining", status->accepted - status->confirmed},
            {"sent", status->sent},
            {"resent", status->resent}}},
          {"spool", std::move(spool)}};
}

json Answered(ServerAnswer const& answer) {
  json object{{"problem", nullptr},
              {"code", nullptr},
              {"clock_ahead", nullptr},
              {"took_ms", answer.took.count()}};
  if (!answer.info) {
    object["problem"] = answer.info.error().message;
    object["code"] = tus::Name(answer.info.error().code);
  }
  if (answer.clock_ahead) object["clock_ahead"] = answer.clock_ahead->count();
  return object;
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
  return status ? SummaryOf(StatusOf(status, entry_, controls_, page_)) : Describe(status.error());
}

json Commands::Status() const {
  auto status = StatusOf(reporter_.Status(), entry_, controls_, page_);
  if (!status.contains("error")) status["hooks"] = HooksOf(hooks_);
  return status;
}

// One request, taken apart.
class Commands::Asked {
 public:
  explicit Asked(std::string const& request) : object_(json::parse(request, nullptr, false)) {}

  [[nodiscard]] bool IsOne() const { return object_.is_object(); }
  [[nodiscard]] std::string Text(char const* field) const {
    if (!IsOne()) return {};
    auto const found = object_.find(field);
    return found != object_.end() && found->is_string() ? found->get<std::string>() : "";
  }
  [[nodiscard]] bool Is(char const* field) const {
    auto const found = object_.find(field);
    return found != object_.end() && found->is_boolean() && found->get<bool>();
  }
  [[nodiscard]] std::optional<std::uint64_t> Number(char const* field) const {
    auto const found = object_.find(field);
    bool const is_one = found != object_.end() && found->is_number_unsigned();
    return is_one ? std::optional(found->get<std::uint64_t>()) : std::nullopt;
  }
  [[nodiscard]] std::string Path() const { return Spell(Text("path")); }

 private:
  json const object_;
};

std::optional<Commands::Watched> Commands::WatchedBy(std::string const& request) {
  Asked const asked(request);
  if (asked.Text("command") != "watch") return std::nullopt;
  return Watched{.path = asked.Path(), .live = asked.Is("live")};
}

bool Commands::IsHarmless(std::string const& request) {
  constexpr std::array<std::string_view, 5> kHarmless{"status", "list", "unfinished", "backlog",
                                                      "watch"};
  Asked const asked(request);
  return std::ranges::find(kHarmless, asked.Text("command")) != kHarmless.end() &&
         !asked.Is("urls");
}

void Commands::Answer(std::string const& request, Sink const& send, std::stop_token stop) const {
  Asked const asked(request);
  auto const command = asked.Text("command");
  auto const path = asked.Path();
  if (command == "list") {
    FileList files(send, asked.Is("urls"));
    files.End(reporter_.VisitAll(path, [&](FileReport const& report) { return files.Add(report); }),
              path);
  } else if (command == "unfinished") {
    FileList files(send, asked.Is("urls"));
    files.End(reporter_.VisitUnfinished(
                  path, [&](InodeId, FileReport const& report) { return files.Add(report); }),
              path);
  } else {
    send(Dump(asked.IsOne() ? Answer(asked, std::move(stop))
                            : Problem("the request is not a JSON object")));
  }
}

json Commands::Answer(Asked const& asked, std::stop_token stop) const {
  auto const command = asked.Text("command");
  auto const path = asked.Path();
  if (command == "status") return Status();
  if (command == "backlog") {
    Backlog backlog(reporter_, path);
    if (auto counted = backlog.CountAnew(); !counted) return Problem(counted.error(), path);
    return ToJson(NewsOf(backlog, reporter_.Now()));
  }
  if (command == "flush-ledger") {
    auto const flushed = flush_ledger_();
    return flushed ? json::object() : Problem(Describe(flushed.error()));
  }
  if (command == "metrics") {
    auto const text = metrics_();
    return text.empty() ? Problem("the state of the mount cannot be read now: see its log")
                        : json{{"text", text}};
  }
  if (command == "settings" && settings_) return {{"text", settings_()}};
  if (command == "page") {
    if (!page_.address.empty() && !page_.IsOpen()) {
      return Problem("the page of '" + entry_.mount + "' cannot be had at " + page_.address +
                     ": another program may have that address; its log says why");
    }
    if (page_.address.empty()) {
      return Problem("'" + entry_.mount +
                     "' has no page: it is mounted without --page, or its log says "
                     "why there is none");
    }
    return {{"address", page_.address}, {"token", page_.token}};
  }
  if (command == "ask-server") return Answered(controls_.AskServer(std::move(stop)));
  if (command == "publish") {
    auto const rest = RestOf(asked.Text("rest"));
    return rest ? Decided(decisions_.Publish(path, *rest), path)
                : Problem("the rest of a file is taken or dropped, nothing else");
  }
  if (command == "retry") return Decided(decisions_.Retry(path), path);
  if (command == "accept") return Decided(decisions_.Accept(path), path);
  if (command == "prioritize") {
    return Decided(decisions_.Prioritize(path, !asked.Is("normal")), path);
  }
  if (command == "discard") return Decided(decisions_.Discard(path), path);
  return Steer(asked);
}

json Commands::Steer(Asked const& asked) const {
  auto const command = asked.Text("command");
  auto const answer = [](Result<void> const& done) {
    return done ? json::object() : Problem(Describe(done.error()));
  };
  if (command == "pause") return answer(controls_.Pause(true));
  if (command == "resume") return answer(controls_.Pause(false));
  if (command == "limit") {
    auto const rate = asked.Number("rate");
    return rate ? answer(controls_.Limit(*rate)) : Problem("a limit is a number of bytes");
  }
  if (command == "log-level") return answer(controls_.SetLogLevel(asked.Text("level")));
  return Problem("unknown command '" + command + "'");
}

}  // namespace tusfs
