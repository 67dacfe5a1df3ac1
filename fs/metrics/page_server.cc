#include "metrics/page_server.h"

#include <httplib.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "control/answers.h"
#include "metrics/page_files.h"

namespace tusfs {
namespace {

using httplib::Request;
using httplib::Response;
using nlohmann::json;

constexpr std::size_t kThreads = PageFeed::kMostReaders + 4;
constexpr std::size_t kLargestForm = 16 * 1024;  // bytes: a path in hex, and little else
constexpr char kHtml[] = "text/html; charset=utf-8";

// Nothing from elsewhere, nothing in the page's own text that runs, in nobody's frame.
constexpr char kPolicy[] =
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

// That a button may ask for. What loses bytes is not among it.
constexpr std::array<std::string_view, 5> kCommands{"pause", "resume", "retry", "accept",
                                                    "publish"};

std::string Dump(json const& object) {
  return object.dump(-1, ' ', false, json::error_handler_t::replace);
}

void Say(Response& response, int status, std::string const& message, bool has_form = false) {
  response.status = status;
  response.set_content(MessagePage(message, has_form), kHtml);
}

void GoToPage(Response& response) {
  response.status = 303;
  response.set_header("Location", "/");
}

void SetHeaders(Response& response) {
  response.set_header("Content-Security-Policy", kPolicy);
  response.set_header("X-Content-Type-Options", "nosniff");
  response.set_header("X-Frame-Options", "DENY");
  // With no referrer at all, browsers do not name the origin of our own forms either.
  response.set_header("Referrer-Policy", "same-origin");
  response.set_header("Cross-Origin-Opener-Policy", "same-origin");
  response.set_header("Cross-Origin-Resource-Policy", "same-origin");
  response.set_header("Cache-Control", "no-store");
}

bool ShowFile(std::string const& path, Response& response) {
  auto const show = [&](std::string_view text, char const* type) {
    response.set_content(text.data(), text.size(), type);
    return true;
  };
  if (path == "/page.css") return show(kPageStyle, "text/css; charset=utf-8");
  if (path == "/page.js") return show(kPageScript, "text/javascript; charset=utf-8");
  return false;
}

/// Why a command was not done; empty where it was.
std::string ProblemIn(json const& answer) {
  if (!answer.is_object()) return "the daemon's answer cannot be read";
  if (auto error = TextOf(answer, "error"); !error.empty()) return error;
  if (!answer.contains("files")) return {};
  for (auto const& file : FilesIn(answer)) {
    if (!file.value("done", false))
      return "'" + TextOf(file, "path") + "': " + TextOf(file, "error");
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<PageServer>> PageServer::Start(Options options, Calls calls,
                                                      RateHistory const& history,
                                                      Logger const& logger) {
  auto feed = PageFeed::Start(calls.watch);
  if (!feed) return Failure(feed.error());
  return std::unique_ptr<PageServer>(
      new PageServer(std::move(options), std::move(calls), *std::move(feed), history, logger));
}

PageServer::PageServer(Options options, Calls calls, std::unique_ptr<PageFeed> feed,
                       RateHistory const& history, Logger const& logger)
    : facts_(std::move(options.facts)),
      guard_(options.address, std::move(options.token), facts_.mount),
      calls_(std::move(calls)),
      feed_(std::move(feed)),
      history_(history),
      server_(
          {.what = "page",
           .address = std::move(options.address),
           .threads = kThreads,
           .largest_body = kLargestForm,
           .forms = {"/enter", "/act"},
           .tell =
               [is_open = std::move(options.is_open)](bool is_listening) {
                 if (is_open) *is_open = is_listening;
               }},
          [this](auto const& request, auto& response) { Answer(request, response); }, logger) {}

PageServer::~PageServer() { feed_->Stop(); }

void PageServer::Answer(Request const& request, Response& response) const {
  SetHeaders(response);
  if (!guard_.IsOurHost(request.get_header_value("Host"))) {
    return Say(response, 421,
               "This machine is not called so here: ask for it by its number, by its host name, or "
               "by the name that --page has.");
  }
  bool const is_read = request.method == "GET" || request.method == "HEAD";
  if (!is_read && request.method != "POST") {
    return Say(response, 405, "The page is read, and its forms are sent; nothing else.");
  }
  bool const is_ours =
      PageGuard::IsOurOrigin(request.get_header_value("Origin"), request.get_header_value("Host"));
  if (!is_read && !is_ours) {
    return Say(response, 403, "This was sent by a page of somebody else's, and was not done.");
  }
  if (is_read && ShowFile(request.path, response)) return;
  if (is_read && request.path == "/" && request.has_param("token")) {
    return Enter(request.get_param_value("token"), response);
  }
  if (!is_read && request.path == "/enter") {
    return Enter(request.get_param_value("token"), response);
  }
  if (!guard_.HasToken(request.get_header_value("Cookie"))) {
    return Say(
        response, 401,
        "This page wants its token: 'tusfsctl page' shows the link to whoever owns the mount.",
        true);
  }
  AnswerOwner(request, response);
}

void PageServer::AnswerOwner(Request const& request, Response& response) const {
  if (request.method == "POST") return AnswerPost(request, response);
  if (request.path == "/") return ShowPage(response);
  if (request.path == "/events" && request.method == "GET") return TellEvents(response);
  Say(response, 404, "There is no such page.");
}

void PageServer::AnswerPost(Request const& request, Response& response) const {
  if (request.path != "/act") return Say(response, 404, "There is no such page.");
  if (!facts_.has_actions) {
    return Say(response, 403, "This page is for reading: --page-actions gives it buttons.");
  }
  Act(request, response);
}

void PageServer::Enter(std::string const& token, Response& response) const {
  if (!guard_.IsToken(token)) {
    return Say(response, 401, "This is not the token: 'tusfsctl page' shows the link.", true);
  }
  response.set_header("Set-Cookie", guard_.Cookie());
  GoToPage(response);
}

PageParts PageServer::PartsOf(PageNews const& news) const {
  return PartsOfPage(facts_, news, history_.Minutes(SystemClock().Steady()));
}

void PageServer::ShowPage(Response& response) const {
  auto const news = feed_->Now();
  if (!news) return Say(response, 503, "The state of the mount cannot be read now: see its log.");
  response.set_content(WholePage(facts_, PartsOf(*news)), kHtml);
}

void PageServer::TellEvents(Response& response) const {
  auto const reader = std::make_shared<PageFeed::Reader>(*feed_);
  response.set_chunked_content_provider("text/event-stream",
                                        [this, reader](std::size_t, httplib::DataSink& sink) {
                                          auto const news = reader->Await();
                                          std::string event = "event: replaced\ndata: \n\n";
                                          if (news) {
                                            auto parts = json::object();
                                            for (auto const& [id, html] : PartsOf(*news))
                                              parts[id] = html;
                                            event = "data: " + Dump(parts) + "\n\n";  // in one line
                                          }
                                          if (news || reader->IsReplaced())
                                            sink.write(event.data(), event.size());
                                          if (!news) sink.done();
                                          return true;
                                        });
}

void PageServer::Act(Request const& request, Response& response) const {
  auto const command = request.get_param_value("command");
  auto const path = FromHex(request.get_param_value("path"));
  bool const is_one = std::find(kCommands.begin(), kCommands.end(), command) != kCommands.end();
  bool const is_of_mount = command == "pause" || command == "resume";
  // A file is named: an empty path would be all of them.
  if (!is_one || path.empty() != is_of_mount) {
    return Say(response, 400, "No button of this page says that.");
  }
  auto const answer =
      json::parse(calls_.ask(Dump({{"command", command}, {"path", path}})), nullptr, false);
  auto const problem = ProblemIn(answer);
  if (!problem.empty()) return Say(response, 409, "It was not done: " + problem);
  GoToPage(response);
}

}  // namespace tusfs
