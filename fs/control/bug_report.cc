#include "control/bug_report.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <system_error>
#include <vector>

#include "base/ask_child.h"
#include "base/file.h"
#include "base/text.h"
#include "control/answers.h"
#include "control/bug_report_facts.h"
#include "control/bug_report_log.h"
#include "control/doctor.h"
#include "control/outcome.h"
#include "control/place.h"
#include "control/redactor.h"
#include "control/showing.h"
#include "control/tar_gz.h"

namespace tusfs {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr char const* kEnding = ".tar.gz";
constexpr std::size_t kMostStuck = 500;
constexpr std::chrono::seconds kPatience{10};

constexpr char const* kAbout =
    "Made by tusfsctl report-bug. Look through it before you send it.\n"
    "Names of files are replaced by file-N and dir-N, the same for the same name; names of the\n"
    "machine and of people, and their home directories, are replaced, too. Of URLs users, queries\n"
    "and what is beneath the endpoint are left out. What could not be had is in missing.txt.\n";
constexpr char const* kAboutWithNames =
    "Made by tusfsctl report-bug --with-names. Look through it before you send it.\n"
    "Names of files are as they are. Names of the machine and of people, and their home\n"
    "directories, are replaced. Of URLs users, queries and what is beneath the endpoint are left\n"
    "out. What could not be had is in missing.txt.\n";

std::string Dump(json const& object) {
  return WithSchema(object).dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

/// What a mount tells, before anything is redacted.
struct MountFacts {
  Place place;
  json status;
  json stuck = json::array();
  std::vector<Finding> findings{};
  std::optional<std::string> settings{};
  std::optional<std::string> metrics{};
  std::string threads{};  ///< of a daemon that does not answer; empty: there is none
};

/// Why the daemon tells nothing; empty where it answers. One that hangs is waited for as long as a
/// person waits.
std::string WhySilent(Place const& place) {
  auto const asked = AskChild(
      [&] {
        auto const answer = Request(place, "status");
        return answer ? std::string() : answer.error().context;
      },
      kPatience);
  if (asked) return *asked;
  return "the daemon of '" + place.mount.mount + "' (process " +
         std::to_string(place.mount.daemon_pid) + ") does not answer within " +
         std::to_string(kPatience.count()) + " seconds: it hangs";
}

/// Gathers first, so that all names are known before anything is written.
class BugReport {
 public:
  BugReport(std::vector<Place> const& places, std::string missing, bool with_names)
      : redactor_(IdentitiesHere(), with_names), with_names_(with_names) {
    if (!missing.empty()) Miss(missing);
    if (places.empty()) Miss("mounts: none is asked");
    for (auto const& place : places) mounts_.push_back(Gather(place));
    GatherLog(places);
  }

  [[nodiscard]] std::vector<ArchiveMember> Members() {
    Add("about.txt", with_names_ ? kAboutWithNames : kAbout);
    Add("version.txt", VersionFacts());
    Add("machine.txt", MachineFacts() + ShowFindings(ExamineMachine()));
    bool is_silent = mounts_.empty();
    for (std::size_t at = 0; at < mounts_.size(); ++at) {
      AddMount("mount-" + std::to_string(at + 1) + "/", mounts_[at]);
      is_silent = is_silent || !mounts_[at].settings;
    }
    // Who answers has said how it is set.
    if (is_silent) AddConfigurations();
    AddCrashes();
    AddLog();
    Add("missing.txt", missing_.empty() ? "nothing\n" : redactor_.Text(missing_));
    return std::move(members_);
  }

 private:
  void Miss(std::string const& what) { missing_ += Printable(what) + "\n"; }

  void Add(std::string name, std::string text) {
    members_.push_back({std::move(name), std::move(text)});
  }

  MountFacts Gather(Place const& place) {
    redactor_.LearnEndpoint(place.mount.url);
    MountFacts facts{.place = place, .status = {}};
    auto const& mount = place.mount.mount;
    if (auto const silent = WhySilent(place); !silent.empty()) {
      Miss("what the daemon would tell: " + silent);
      facts.status = AboutProcesses(Refreshed(place.mount), false);
      facts.findings = ExamineDisk(place.mount.state_dir);
      facts.findings.push_back({Finding::Level::kBad, "daemon", silent});
      facts.threads = ThreadFacts(place.mount.daemon_pid);
      return facts;
    }
    facts.status = AskStatus(place).status;
    facts.findings = ExamineHere(place, facts.status);
    // All names there are: errors, and lines of the log, may be about any.
    auto const listed = VisitFiles(
        place, "list", {}, [&](json const& file) { redactor_.LearnPath(TextOf(file, "path")); });
    if (!listed) Miss("names of files of '" + mount + "': " + listed.error().context);
    GatherStuck(facts);
    facts.settings = TextAsked(place, "settings");
    facts.metrics = TextAsked(place, "metrics");
    return facts;
  }

  void GatherStuck(MountFacts& facts) {
    std::size_t count = 0;
    auto const visited = VisitFiles(facts.place, "unfinished", {}, [&](json const& file) {
      if (file.value("finishes", true)) return;
      if (++count <= kMostStuck) facts.stuck.push_back(file);
    });
    auto const& mount = facts.place.mount.mount;
    if (!visited) Miss("stuck files of '" + mount + "': " + visited.error().context);
    if (count > kMostStuck) {
      Miss("stuck files of '" + mount + "': the first " + std::to_string(kMostStuck) + " of " +
           std::to_string(count) + " are there");
    }
  }

  std::optional<std::string> TextAsked(Place const& place, char const* command) {
    auto const answer = Request(place, command);
    if (answer) return TextOf(*answer, "text");
    Miss(std::string(command) + " of '" + place.mount.mount + "': " + answer.error().context);
    return std::nullopt;
  }

  void GatherLog(std::vector<Place> const& places) {
    auto entries = ReadJournal();
    if (!entries) return Miss("log: " + entries.error().context);
    for (auto& entry : *entries) {
      bool is_wanted = places.empty() || entry.mount.empty();
      for (auto const& place : places) is_wanted = is_wanted || entry.mount == place.mount.mount;
      if (!is_wanted) continue;
      redactor_.LearnPath(entry.file);
      redactor_.LearnLogLine(entry.text);
      log_.push_back(std::move(entry));
    }
  }

  void AddMount(std::string const& directory, MountFacts const& facts) {
    Add(directory + "status.json", Dump(redactor_.Json(facts.status)));
    Add(directory + "stuck.json", Dump(redactor_.Json({{"files", facts.stuck}})));
    Add(directory + "doctor.txt", redactor_.Text(ShowFindings(facts.findings)));
    Add(directory + "disk.txt", redactor_.OwnText(FilesystemFacts(facts.place.mount.state_dir)));
    if (facts.settings) {
      Add(directory + "settings.txt", redactor_.Text(WithoutArguments(*facts.settings)));
    }
    if (!facts.threads.empty()) Add(directory + "threads.txt", facts.threads);
    if (facts.metrics) Add(directory + "metrics.txt", redactor_.Labels(*facts.metrics));
  }

  void AddConfigurations() {
    std::size_t number = 0;
    for (auto const& one : Configurations()) {
      Add("configuration-" + std::to_string(++number) + ".txt",
          redactor_.Text("# " + one.file + "\n" + one.settings));
    }
    if (number == 0) Miss("configuration: there is none in /etc/tusfs");
  }

  void AddCrashes() {
    auto const crashes = CrashFacts();
    if (!crashes) return Miss("crashes: " + crashes.error().context);
    Add("crashes.txt", redactor_.Text(*crashes));
  }

  void AddLog() {
    std::string text;
    for (auto const& entry : log_) {
      text +=
          entry.time + " " + entry.level + " " + Printable(redactor_.LogLine(entry.text)) + "\n";
    }
    if (!text.empty()) Add("log.txt", std::move(text));
  }

  Redactor redactor_;
  bool const with_names_;
  std::string missing_;  ///< a line each
  std::vector<MountFacts> mounts_;
  std::vector<LogEntry> log_;
  std::vector<ArchiveMember> members_;
};

std::string DefaultName(std::time_t now) {
  std::tm parts{};
  ::localtime_r(&now, &parts);
  char name[64];
  std::strftime(name, sizeof name, "tusfs-report-%Y%m%d-%H%M%S.tar.gz", &parts);
  return name;
}

/// What is written into a mount is uploaded, or waits for what is being looked for.
Result<void> CheckWhere(std::string const& file) {
  auto const directory = fs::absolute(file).parent_path();
  auto const place = FindPlace(directory.string());
  if (!place) return {};
  return Fail(EINVAL, "'" + file + "' would be in the mount '" + place->mount.mount +
                          "', and be uploaded: name a FILE" + kEnding + " elsewhere");
}

Result<void> WriteAnew(std::string const& file, std::string const& bytes) {
  auto const opened = OpenFile(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW);
  if (!opened) {
    auto const code = opened.error().code;
    return Fail(code, code == EEXIST
                          ? "'" + file + "' is there already: name another FILE" + kEnding
                          : "'" + file +
                                "' cannot be made: " + std::generic_category().message(code) +
                                "; name a FILE" + kEnding + " where this user may write");
  }
  auto written = WriteFully(opened->get(), std::as_bytes(std::span(bytes)), 0);
  if (written && ::fsync(opened->get()) != 0) written = FailErrno("fsync");
  if (written) return {};
  ::unlink(file.c_str());
  return Fail(written.error().code,
              "'" + file + "' cannot be written: " + Describe(written.error()));
}

void ShowMembers(std::string const& file, std::vector<ArchiveMember> const& members) {
  std::printf("%s\n", Printable(file).c_str());
  for (auto const& member : members) {
    std::printf("  %-28s %s\n", member.name.c_str(), ShowBytes(member.text.size()).c_str());
  }
  for (auto const& member : members) {
    if (member.name != "missing.txt" || member.text == "nothing\n") continue;
    std::printf("what could not be had:\n%s", member.text.c_str());
  }
  std::printf("look through it before you send it: tar -xzf %s\n", Printable(file).c_str());
}

}  // namespace

std::string SortWords(std::string const& first, std::string const& second,
                      BugReportOptions& options) {
  for (auto const& word : {first, second}) {
    if (word.empty()) continue;
    auto& wanted = word.ends_with(kEnding) ? options.file : options.path;
    if (!wanted.empty()) {
      return "'" + first + "' and '" + second + "': name one FILE" + kEnding + ", and one mount";
    }
    wanted = word;
  }
  return {};
}

int ReportBug(BugReportOptions options) {
  auto const now = std::time(nullptr);
  if (options.file.empty()) options.file = DefaultName(now);
  if (auto const fits = CheckWhere(options.file); !fits) return Complain(fits.error().context);
  std::vector<Place> places;
  std::string missing;
  if (options.path.empty()) {
    for (auto& mount : ListMounts()) places.push_back({std::move(mount), ""});
  } else if (auto place = FindPlace(options.path)) {
    places.push_back(*std::move(place));
  } else {
    missing = place.error().context;
  }
  for (auto& place : places) place.path.clear();  // the mount as a whole
  auto members = BugReport(places, std::move(missing), options.with_names).Members();
  auto packed = members;
  // The name of the archive is a person's, and may be too long for its head.
  for (auto& member : packed) member.name = "tusfs-report/" + member.name;
  auto const bytes = TarGz(packed, now);
  if (!bytes) return Complain(Describe(bytes.error()));
  auto const written = WriteAnew(options.file, *bytes);
  if (!written) return Complain(written.error().context);
  ShowMembers(options.file, members);
  return kDone;
}

}  // namespace tusfs
