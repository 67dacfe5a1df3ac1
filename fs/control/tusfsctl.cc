// tusfsctl: asks the daemon of a mount and prints what it says.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"
#include "control/answers.h"
#include "control/bug_report.h"
#include "control/check.h"
#include "control/doctor.h"
#include "control/fleet.h"
#include "control/metrics_text.h"
#include "control/mhl.h"
#include "control/moment.h"
#include "control/outcome.h"
#include "control/place.h"
#include "control/report.h"
#include "control/rescue.h"
#include "control/showing.h"
#include "control/steering.h"
#include "control/verify.h"
#include "control/waiting.h"
#include "control/watching.h"
#include "proof/words.h"
#include "version.h"

namespace tusfs {
namespace {

using nlohmann::json;

// ---- commands

int RescueFiles(std::string const& state_dir, std::string const& out_dir, bool as_json) {
  auto files = json::array();
  auto const rescued = Rescue(state_dir, out_dir, [&](RescuedFile const& file) {
    if (as_json) {
      files.push_back({{"path", file.path},
                       {"state", file.state},
                       {"size", file.size},
                       {"error", file.problem.empty() ? json() : json(file.problem)}});
      return;
    }
    std::printf("%-10s %14llu %s%s\n", file.state.c_str(),
                static_cast<unsigned long long>(file.size), Printable(file.path).c_str(),
                file.problem.empty() ? "" : (" (" + file.problem + ")").c_str());
  });
  if (!rescued) return Complain(rescued.error().context);
  if (as_json) {
    Print({{"files", std::move(files)}}, as_json, ShowFiles);
  } else {
    std::printf("copied %s, %s, to %s; %llu are in lost+found, %llu not whole\n",
                Counted(rescued->files, "file", "files").c_str(),
                Counted(rescued->bytes, "byte", "bytes").c_str(), out_dir.c_str(),
                static_cast<unsigned long long>(rescued->nameless),
                static_cast<unsigned long long>(rescued->incomplete));
    if (rescued->ledger) {
      std::printf("the ledger is in %s/lost+found/ledger: tusfsctl report --state-dir reads it\n",
                  out_dir.c_str());
    }
  }
  return rescued->incomplete == 0 ? kDone : kStuck;
}

int Wait(std::vector<std::string> paths, WaitOptions const& options) {
  if (paths.empty()) paths.emplace_back();
  std::vector<Place> places;
  for (auto const& path : paths) {
    auto place = FindPlace(path);
    if (!place) return Complain(place.error().context);
    places.push_back(std::move(*place));
  }
  return WaitFor(std::move(places), options);
}

// What a person decides about files; `saying` is said of each file of which it is done.
int Decide(char const* command, char const* saying, std::vector<std::string> const& paths,
           bool as_json, json const& more = {}) {
  json files = json::array();
  for (auto const& path : paths) {
    auto const place = FindPlace(path);
    if (!place) return Complain(place.error().context);
    auto const answer = Request(*place, command, more);
    if (!answer) return Complain(answer.error().context);
    for (auto const& file : FilesIn(*answer)) files.push_back(file);
  }
  bool refused = false;
  for (auto const& file : files) {
    auto const path = TextOf(file, "path");
    auto const name = path.empty() ? "." : Printable(path);  // the mount itself
    bool const done = file.value("done", false);
    refused = refused || !done;
    if (as_json) continue;
    if (done) {
      std::printf("%s: %s\n", name.c_str(), saying);
    } else {
      std::fprintf(stderr, "tusfsctl: %s: %s\n", name.c_str(),
                   Printable(TextOf(file, "error")).c_str());
    }
  }
  if (as_json) Print({{"files", files}}, true, ShowFiles);
  return refused ? kStuck : kDone;
}

// What was given on the command line.
struct Arguments {
  std::string path;
  std::vector<std::string> paths;
  bool as_json = false;
  std::optional<double> timeout;
};

std::string CheckSeconds(std::string const& text) {
  if (CLI::NonNegativeNumber(text).empty()) return {};
  return "it takes seconds, 0 or more, not " + text;
}

void AddPath(CLI::App& command, Arguments& given) {
  command.add_option("PATH", given.path, "the mount point or anything beneath it");
}

void AddPaths(CLI::App& command, Arguments& given, char const* what) {
  command.add_option("PATH", given.paths, what);
}

void AddJson(CLI::App& command, Arguments& given) {
  command.add_flag("--json", given.as_json, "print JSON");
}

void AddTimeout(CLI::App& command, Arguments& given) {
  command.add_option("--timeout", given.timeout, "give up after this many seconds (status 3)")
      ->option_text("SECONDS")
      ->check(CheckSeconds);
}

// An empty variable of a script is no wish.
std::string IsSaid(std::string const& text) { return text.empty() ? "it is empty" : ""; }

/// Runs one of the commands and gives its exit status.
class CommandLine {
 public:
  CommandLine() {
    app_.set_version_flag("--version,-V", std::string("tusfsctl ") + kVersion);
    app_.require_subcommand(1);
    AddShowing();
    AddWaiting();
    AddDecisions();
    AddSteering();
    AddDoctor();
    AddReportBug();
    AddReport();
    AddVerify();
    AddMhl();
    AddFleet();
    AddRescue();
  }

  int Run(int argc, char const* const* argv) {
    try {
      app_.parse(argc, argv);
    } catch (CLI::ParseError const& stop) {
      bool const is_unknown = argc > 1 && argv[1][0] != '-' && app_.get_subcommands().empty();
      if (!is_unknown) return app_.exit(stop) == 0 ? kDone : kNoAnswer;
      std::fprintf(stderr, "tusfsctl: unknown command '%s': see tusfsctl --help\n",
                   Printable(argv[1]).c_str());
      return kNoAnswer;
    }
    return run_();
  }

 private:
  CLI::App& Add(char const* name, char const* help, std::function<int()> run) {
    auto* const command = app_.add_subcommand(name, help);
    command->callback([this, run = std::move(run)] { run_ = run; });
    return *command;
  }

  void AddShowing() {
    auto& status = Add("status", "the mount as a whole", [this] {
      status_.path = given_.path;
      status_.as_json = given_.as_json;
      return ShowStatus(status_);
    });
    AddJson(status, given_);
    status.add_flag("--all", status_.all, "of all mounts");
    auto* const check =
        status.add_flag("--check", status_.check, "one line and an exit status for monitoring");
    status.add_option("--max-age", max_age_, "with --check: what waits longer is critical")
        ->option_text("TIME")
        ->needs(check)
        ->check([this](std::string const& text) {
          auto const age = ParseDuration(text);
          if (!age) return age.error().context;
          status_.max_age = *age;
          return std::string();
        });
    AddPath(status, given_);
    auto& list = Add("list", "every file with its state", [this] {
      list_.path = given_.path;
      list_.as_json = given_.as_json;
      return ListFiles(list_);
    });
    AddJson(list, given_);
    list.add_flag("--urls", list_.urls, "with --json: the upload URLs too, which are secrets");
    list.add_flag("--stuck", list_.stuck, "only what needs somebody, and what to do about it");
    AddPath(list, given_);
    AddPath(Add("watch", "the mount as it changes, until q or Ctrl-C",
                [this] {
                  auto place = FindPlace(given_.path);
                  return place ? Watch(*std::move(place)) : Complain(place.error().context);
                }),
            given_);
    auto& metrics =
        Add("metrics", "the numbers of all mounts, or one, as text for Prometheus", [this] {
          metrics_.path = given_.path;
          return PrintMetrics(metrics_);
        });
    metrics.add_option("--file", metrics_.file, "replace this file by them, as a whole")
        ->option_text("FILE")
        ->check(IsSaid);
    AddPath(metrics, given_);
    AddPath(Add("page", "the link to the mount's page, with its token",
                [this] { return ShowPageLink(given_.path); }),
            given_);
    AddJson(Add("mounts", "all mounts there are, with what is left to send",
                [this] { return ShowMounts(given_.as_json); }),
            given_);
  }

  void AddDoctor() {
    auto& doctor = Add("doctor", "what is not as it has to be, and the way out",
                       [this] { return Doctor(given_.path, given_.as_json); });
    AddJson(doctor, given_);
    AddPath(doctor, given_);
  }

  void AddReportBug() {
    auto& report =
        Add("report-bug", "what developers need to know, as an archive without names", [this] {
          auto const wrong = SortWords(given_.path, word_, bug_report_);
          return wrong.empty() ? ReportBug(bug_report_) : Complain("report-bug: " + wrong);
        });
    report.add_flag("--with-names", bug_report_.with_names, "names of files stay as they are");
    report.add_option("FILE.tar.gz", given_.path,
                      "the archive (tusfs-report-DATE-TIME.tar.gz); it must not be there yet");
    report.add_option("PATH", word_, "of one mount; without it of all there are");
  }

  void AddWaiting() {
    auto& wait = Add("wait", "wait until everything beneath PATH is uploaded", [this] {
      return Wait(given_.paths, {.timeout = given_.timeout, .strict = strict_});
    });
    AddTimeout(wait, given_);
    wait.add_flag("--strict", strict_, "count files that are never uploaded as stuck (status 1)");
    AddPaths(wait, given_, "the mount point or anything beneath it");
  }

  void AddDecision(char const* name, char const* help, char const* saying, char const* what) {
    auto& command = Add(name, help, [this, name, saying] {
      auto more = rest_.empty() ? json() : json{{"rest", rest_}};
      if (in_its_turn_) more["normal"] = true;
      return Decide(name, in_its_turn_ ? "goes in its turn" : saying, given_.paths, given_.as_json,
                    more);
    });
    AddJson(command, given_);
    AddPaths(command, given_, what);
    command.get_option("PATH")->required();
  }

  void AddDecisions() {
    constexpr char const* kFiles = "files, or directories with all beneath";
    AddDecision("publish", "publish files that wait for it, or are interrupted, as they are",
                "will be published", kFiles);
    AddDecision("retry", "try files that are stuck at once", "is tried again", kFiles);
    AddDecision("accept", "take unconfirmed files as uploaded", "counts as uploaded", kFiles);
    AddDecision("prioritize", "send files before all others, or what is beneath directories",
                "goes first", "files or directories");
    app_.get_subcommand("prioritize")->add_flag("--normal", in_its_turn_, "in their turn again");
    AddDecision("discard", "give up files that are not uploaded: what they have here is lost",
                "is discarded", "files");
    app_.get_subcommand("publish")
        ->add_option("--rest", rest_,
                     "of files that a power cut has cut short: take all that is here, or drop what "
                     "is not known to be whole")
        ->option_text("take|drop")
        ->check(CLI::IsMember({"take", "drop"}));
  }

  void AddSteering() {
    AddPath(Add("pause", "send nothing more, until it is resumed",
                [this] { return Steer(given_.path, "pause"); }),
            given_);
    AddPath(Add("resume", "send again", [this] { return Steer(given_.path, "resume"); }), given_);
    auto& limit = Add("limit", "limit the rate of all uploads together", [this] {
      return Steer(given_.path, "limit", {{"rate", *ParseRate(word_)}});
    });
    limit.add_option("RATE", word_, "bytes per second, such as 10MiB, or none")
        ->required()
        ->check([](std::string const& text) {
          auto const rate = ParseRate(text);
          return rate ? std::string() : rate.error().context;
        });
    AddPath(limit, given_);
    auto& level = Add("log-level", "what the daemon logs", [this] {
      return Steer(given_.path, "log-level", {{"level", word_}});
    });
    level.add_option("LEVEL", word_, "debug, info, warn or error")
        ->required()
        ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
    AddPath(level, given_);
    auto& drain = Add("drain", "wait until the whole mount is uploaded",
                      [this] { return Drain(given_.path, given_.timeout); });
    AddTimeout(drain, given_);
    AddPath(drain, given_);
    auto& unmount = Add("umount", "unmount, and wait until everything that was closed is on disk",
                        [this] { return Unmount(given_.path, drain_, given_.timeout); });
    auto* const drained =
        unmount.add_flag("--drain", drain_, "when everything is uploaded, and not before");
    AddTimeout(unmount, given_);
    unmount.get_option("--timeout")->needs(drained);
    AddPath(unmount, given_);
    AddPath(Add("restart", "start the installed program in the running mount",
                [this] { return Restart(given_.path); }),
            given_);
    auto& reload =
        Add("reload", "read the configuration again, and go on with it in the running mount",
            [this] { return keeper_ ? ReloadOfKeeper(*keeper_) : Reload(given_.path); });
    reload.add_option("--keeper", keeper_, "the mount is that of this process")->option_text("PID");
    AddPath(reload, given_);
  }

  void AddMoment(CLI::App& command, char const* name, char const* help,
                 std::optional<FileTime>& moment) {
    auto const parse = [&moment](std::string const& text) {
      auto const parsed = ParseMoment(text, SystemClock().Wall());
      if (!parsed) throw CLI::ValidationError(parsed.error().context);
      moment = *parsed;
    };
    command.add_option_function<std::string>(name, parse, help)->option_text("TIME");
  }

  void AddReport() {
    using Format = ReportOptions::Format;
    auto& report = Add("report", "what became of every file, from the ledger", [this] {
      report_.path = given_.path;
      report_.state_dir = state_dir_;
      return ReportFiles(report_);
    });
    AddMoment(report, "--since", "only what happened then or later: yesterday, 12h, 2026-11-29",
              report_.since);
    AddMoment(report, "--until", "only what happened before", report_.until);
    report
        .add_option("--state", words_,
                    "only such files: uploaded, accepted, unconfirmed, refused, discarded, dropped "
                    "or removed; may be given several times")
        ->option_text("STATE")
        ->expected(1)
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
        ->check(CLI::IsMember(
            {"uploaded", "accepted", "unconfirmed", "refused", "discarded", "dropped", "removed"}))
        ->each([this](std::string const& word) { report_.states.insert(*FateOf(word)); });
    report.add_flag("--missing", report_.missing,
                    "only files that the server does not have (status 1 if there are any)");
    report.add_flag("--totals", report_.totals, "only the totals");
    auto* const csv = report.add_flag_callback(
        "--csv", [this] { report_.format = Format::kCsv; }, "print CSV");
    report
        .add_flag_callback(
            "--json", [this] { report_.format = Format::kJson; }, "print JSON")
        ->excludes(csv);
    AddStateDir(report);
    report.add_option("PATH", given_.path,
                      "the mount point or anything beneath it; with --state-dir, relative to it");
  }

  void AddVerify() {
    auto& verify =
        Add("verify", "may this card be formatted? its files beside what the server has", [this] {
          if (!verify_.mhl.empty()) return VerifyManifest();
          if (verify_.source.empty()) {
            return Complain("verify: name the SOURCE, or a manifest of it (--mhl)");
          }
          verify_.path = given_.path;
          verify_.state_dir = state_dir_;
          verify_.as_json = given_.as_json;
          return Verify(verify_);
        });
    AddJson(verify, given_);
    auto const map = [this](std::string const& text) {
      auto const mapping = ParseMapping(text);
      if (!mapping) throw CLI::ValidationError("--map: " + mapping.error().context);
      verify_.mappings.push_back(*mapping);
    };
    verify
        .add_option_function<std::string>(
            "--map", map, "what the source has in FROM the mount has in TO; may be given again")
        ->option_text("FROM=TO")
        ->trigger_on_parse();
    verify.add_option("--mhl", verify_.mhl, "a media hash list that stands for the source")
        ->option_text("FILE");
    verify
        .add_option("--receipt", verify_.receipt,
                    "write every file with its digests, upload and times to FILE and FILE.json")
        ->option_text("FILE")
        ->check(IsSaid);
    verify.add_option("--jobs", verify_.jobs, "files that are read at the same time (4)")
        ->option_text("N")
        ->check(CLI::Range(1, 64));
    verify.add_flag("--strict", verify_.counts_junk, "count what desktops leave behind, too");
    AddStateDir(verify);
    verify.add_option("SOURCE", verify_.source,
                      "the card, or the directory or file, that was copied");
    verify.add_option("PATH", given_.path,
                      "where in a mount it was copied to; with --state-dir, relative to the mount");
  }

  // It stands for the source, so the first word is where that was copied to.
  int VerifyManifest() {
    if (!given_.path.empty()) return Complain("verify --mhl reads no SOURCE: name PATH alone");
    verify_.path = std::exchange(verify_.source, {});
    verify_.state_dir = state_dir_;
    verify_.as_json = given_.as_json;
    return Verify(verify_);
  }

  void AddMhl() {
    auto& mhl = Add("mhl", "write a media hash list (ASC MHL) of what is on the server", [this] {
      mhl_.path = given_.path;
      mhl_.state_dir = state_dir_;
      mhl_.format = *HashFormatOf(word_.empty() ? "xxh64" : word_);
      return WriteMhl(mhl_);
    });
    mhl.add_option("--hash", word_, "xxh64 (the default), xxh3, xxh128, md5, sha1 or c4")
        ->option_text("FORMAT")
        ->check(CLI::IsMember({"xxh64", "xxh3", "xxh128", "md5", "sha1", "c4"}));
    mhl.add_flag("--read", mhl_.reads, "read in the mount what is not known, and compare it");
    mhl.add_option("--out", mhl_.out, "write the history there, not into the directory itself")
        ->option_text("DIR");
    AddStateDir(mhl);
    mhl.add_option("PATH", given_.path,
                   "a directory of a mount; with --state-dir, relative to the mount");
  }

  void AddStateDir(CLI::App& command) {
    command
        .add_option("--state-dir", state_dir_, "of this state directory, where nothing is mounted")
        ->option_text("DIR")
        ->check(IsSaid);
  }

  void AddFleet() {
    auto& fleet = Add("fleet", "how many rigs are, from the heartbeats that their server has",
                      [this] { return ShowFleet(word_, fleet_format_); });
    auto* const page = fleet.add_flag_callback(
        "--html", [this] { fleet_format_ = FleetFormat::kPage; }, "print a page of HTML");
    fleet
        .add_flag_callback(
            "--json", [this] { fleet_format_ = FleetFormat::kJson; }, "print JSON")
        ->excludes(page);
    fleet.add_option("DIR", word_, "the directory in which the server keeps its files")->required();
  }

  void AddRescue() {
    auto& rescue = Add(
        "rescue", "copy all files out of a state directory that no tusfs uses, with their names",
        [this] { return RescueFiles(state_dir_, out_dir_, given_.as_json); });
    AddJson(rescue, given_);
    rescue.add_option("STATE_DIR", state_dir_, "the state directory of a mount")->required();
    rescue.add_option("OUT_DIR", out_dir_, "a new directory")->required();
  }

  CLI::App app_{"Shows what of a tusfs mount is safe on its server.", "tusfsctl"};
  std::function<int()> run_;
  Arguments given_;
  StatusOptions status_;
  ListOptions list_;
  MetricsOptions metrics_;
  std::string max_age_;
  std::string rest_;
  bool in_its_turn_ = false;  ///< of prioritize
  std::string word_;
  std::vector<std::string> words_;
  BugReportOptions bug_report_;
  ReportOptions report_;
  VerifyOptions verify_;
  MhlOptions mhl_;
  std::string state_dir_;
  std::string out_dir_;
  std::optional<pid_t> keeper_;
  bool strict_ = false;
  bool drain_ = false;
  FleetFormat fleet_format_ = FleetFormat::kText;
};

}  // namespace
}  // namespace tusfs

int main(int argc, char** argv) {
  try {
    int const status = tusfs::CommandLine().Run(argc, argv);
    if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return status;
    return tusfs::Complain("the output cannot be written: what was asked for is not complete");
  } catch (nlohmann::json::exception const&) {
    return tusfs::Complain("the daemon's answer cannot be read: is it of another version?");
  }
}
