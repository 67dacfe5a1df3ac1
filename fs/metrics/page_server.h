// The page of a mount, for a person with a phone at the rig: GET / is readable without scripts,
// GET /events tells a page that is open what has changed.
//
// Whoever has no token sees nothing of the mount (page_guard.h). As many read events as PageFeed
// has places, and a few more requests are answered at a time; one that never reads is dropped.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "base/listen_address.h"
#include "base/logger.h"
#include "metrics/http_server.h"
#include "metrics/page_feed.h"
#include "metrics/page_guard.h"
#include "metrics/page_html.h"
#include "metrics/rate_history.h"

namespace tusfs {

class PageServer {
 public:
  struct Options {
    ListenAddress address;
    std::string token;  ///< as ReadAccessToken has it
    PageFacts facts;    ///< its buttons do what they say where it has actions
    /// Whether it listens: the address may be somebody else's. May be null.
    std::shared_ptr<std::atomic<bool>> is_open{};
  };
  struct Calls {
    PageFeed::Watch watch;
    /// The answer to a request of tusfsctl's (control/commands.h), on any thread.
    std::function<std::string(std::string const& request)> ask;
  };
  /// Begins to listen. `history` and what the calls use outlive it. Errors: of eventfd(2).
  [[nodiscard]] static Result<std::unique_ptr<PageServer>> Start(Options options, Calls calls,
                                                                 RateHistory const& history,
                                                                 Logger const& logger);
  /// Whoever reads events is hung up on.
  ~PageServer();

 private:
  PageServer(Options options, Calls calls, std::unique_ptr<PageFeed> feed,
             RateHistory const& history, Logger const& logger);
  void Answer(httplib::Request const& request, httplib::Response& response) const;
  void AnswerOwner(httplib::Request const& request, httplib::Response& response) const;
  void AnswerPost(httplib::Request const& request, httplib::Response& response) const;
  void Enter(std::string const& token, httplib::Response& response) const;
  void ShowPage(httplib::Response& response) const;
  void TellEvents(httplib::Response& response) const;
  void Act(httplib::Request const& request, httplib::Response& response) const;
  [[nodiscard]] PageParts PartsOf(PageNews const& news) const;

  PageFacts const facts_;
  PageGuard const guard_;
  Calls const calls_;
  std::unique_ptr<PageFeed> const feed_;
  RateHistory const& history_;
  HttpServer const server_;
};

}  // namespace tusfs
