// What tusfsctl may ask a daemon: JSON in, JSON out (tusfsctl(1), "JSON", has the fields; scripts
// depend on them).
//
//   {"command": "status"}                     → the status object
//   {"command": "list", "path": P}            → {"files": […]}; "urls": true adds the upload URLs
//   {"command": "unfinished", "path": P}      → {"files": […]}, those that are not uploaded
//   {"command": "backlog", "path": P}         → {"going", "left", "stuck", …}: control/watchers.h
//   {"command": "pause"}, {"command": "resume"}, {"command": "limit", "rate": BYTES_PER_SECOND},
//   {"command": "log-level", "level": WORD}   → {}
//   {"command": "flush-ledger"}               → {}, when the ledger has all that is uploaded by now
//   {"command": "ask-server"}                 → {"problem", "code", "clock_ahead", "took_ms"}
//   {"command": "page"}                       → {"address", "token"}; the token is a secret
//   {"command": "metrics"}                    → {"text"}, as Prometheus takes it
//   {"command": "publish", "path": P}         → {"files": […]} with path, done and error of each;
//   also "retry", "accept" and "discard"        for a directory of those that were meant; publish
//                                               takes "rest": "take" or "drop", too
//   {"command": "prioritize", "path": P}      → the same, of P alone; "normal": true takes it back
//   {"command": "watch", "path": P}           → lines until it is over: control/watchers.h
// P is relative to the mount; empty names and "." in it say nothing. A failure answers
// {"error": SENTENCE}; where that comes after files have been sent, behind them.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "control/controls.h"
#include "control/registry.h"
#include "filesystem/decisions.h"
#include "filesystem/report.h"
#include "hooks/hooks.h"

namespace tusfs {

/// The mount's page for people, and how its owner gets in.
struct PageLink {
  std::string address{};  ///< for browsers; empty: there is no page
  std::string token{};
  /// Whether it listens there: else somebody else may, who is not shown the token. Null: it does.
  std::shared_ptr<std::atomic<bool>> is_open{};

  [[nodiscard]] bool IsOpen() const { return !address.empty() && (!is_open || *is_open); }
};

class Commands {
 public:
  /// The collaborators outlive the commands.
  /// `flush_ledger`: LedgerKeeper::Flush. `metrics`: as GET /metrics has them, empty where the
  /// catalog cannot be read. `settings`: a line for each, without secrets.
  Commands(MountEntry entry, Reporter const& reporter, Decisions& decisions, Controls& controls,
           std::function<Result<void>()> flush_ledger, Hooks const& hooks, PageLink page = {},
           std::function<std::string()> metrics = {}, std::function<std::string()> settings = {})
      : entry_(std::move(entry)),
        reporter_(reporter),
        decisions_(decisions),
        controls_(controls),
        flush_ledger_(std::move(flush_ledger)),
        hooks_(hooks),
        page_(std::move(page)),
        metrics_(std::move(metrics)),
        settings_(std::move(settings)) {}

  /// Takes a piece of an answer; false: nobody wants more of it.
  using Sink = std::function<bool(std::string_view piece)>;
  /// Answers one request with one line, without its end; never throws, whatever the text is. Needs
  /// as much memory for many files as for few.
  void Answer(std::string const& request, Sink const& send, std::stop_token stop = {}) const;

  /// Whether a request only asks how the mount is, and for nothing that is secret.
  [[nodiscard]] static bool IsHarmless(std::string const& request);

  struct Watched {
    std::string path;
    bool live = false;
  };
  /// What somebody wants to watch; nothing where that is not what is asked.
  [[nodiscard]] static std::optional<Watched> WatchedBy(std::string const& request);

  /// The answer to "status" in one line (SummaryOf), or why there is none.
  [[nodiscard]] std::string Summary() const;

 private:
  class Asked;
  [[nodiscard]] nlohmann::json Answer(Asked const& asked, std::stop_token stop) const;
  [[nodiscard]] nlohmann::json Status() const;
  [[nodiscard]] nlohmann::json Steer(Asked const& asked) const;

  MountEntry const entry_;
  Reporter const& reporter_;
  Decisions& decisions_;
  Controls& controls_;
  std::function<Result<void>()> const flush_ledger_;
  Hooks const& hooks_;
  PageLink const page_;
  std::function<std::string()> const metrics_;
  std::function<std::string()> const settings_;
};

}  // namespace tusfs
