#include "control/report.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <unordered_map>

#include "base/file_digest.h"
#include "base/iso_time.h"
#include "base/text.h"
#include "control/answers.h"
#include "control/evidence.h"
#include "control/moment.h"
#include "control/outcome.h"
#include "proof/words.h"

namespace tusfs {
namespace {

using nlohmann::json;
using Format = ReportOptions::Format;

constexpr char const* kCsvHead =
    "confirmed,state,size,path,modified,begun,proved_by,requests,sent,upload,xxh128,sha256,reason";

bool IsSafe(Fate fate) { return fate == Fate::kUploaded || fate == Fate::kAccepted; }

json TimeOrNull(FileTime time) { return time == 0 ? json() : json(IsoUtc(time)); }

// What a proxy or a server may have put in its answer for the one that asked alone.
std::string WithoutSecrets(std::string const& receipt) {
  std::string kept;
  std::istringstream lines(receipt);
  for (std::string line; std::getline(lines, line);) {
    auto name = line.substr(0, line.find(':'));
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
    bool const is_secret = name == "set-cookie" || name == "location" || name == "authorization";
    if (!is_secret) kept += line + "\n";
  }
  return kept;
}

json ToJson(Proof const& proof) {
  return {{"id", proof.id.ToString()},
          {"path", proof.path},
          {"state", NameOf(proof.fate)},
          {"size", proof.size},
          {"modified", IsoUtc(proof.modified)},
          {"begun", TimeOrNull(proof.begun)},
          {"at", IsoUtc(proof.at)},
          {"proved_by", OrNull(NameOf(proof.proved))},
          {"requests", proof.requests},
          {"sent", proof.sent},
          {"upload", proof.upload.IsNil() ? json() : json(proof.upload.ToString())},
          {"blocks", OrNull(Hex(proof.root))},
          {"xxh128", OrNull(Hex(proof.digests.xxh128))},
          {"xxh3", OrNull(Hex(proof.digests.xxh3))},
          {"xxh64", OrNull(Hex(proof.digests.xxh64))},
          {"sha256", OrNull(Hex(proof.digests.sha256))},
          {"receipt", OrNull(WithoutSecrets(proof.receipt))},
          {"server", OrNull(proof.server)},
          {"reason", OrNull(proof.reason)}};
}

std::string ToCsv(Proof const& proof) {
  return IsoUtc(proof.at) + "," + std::string(NameOf(proof.fate)) + "," +
         std::to_string(proof.size) + "," + CsvField(proof.path) + "," + IsoUtc(proof.modified) +
         "," + (proof.begun == 0 ? "" : IsoUtc(proof.begun)) + "," +
         std::string(NameOf(proof.proved)) + "," + std::to_string(proof.requests) + "," +
         std::to_string(proof.sent) + "," + (proof.upload.IsNil() ? "" : proof.upload.ToString()) +
         "," + Hex(proof.digests.xxh128) + "," + Hex(proof.digests.sha256) + "," +
         CsvField(proof.reason);
}

// Prints rows as they come, and sums them up.
class ReportPrinter {
 public:
  explicit ReportPrinter(ReportOptions const& options) : options_(options) {
    if (options_.format == Format::kCsv && !options_.totals) std::printf("%s\n", kCsvHead);
    if (options_.format == Format::kJson) std::fputs("{\"files\":[", stdout);
  }

  void Add(Proof const& proof) {
    auto& total = totals_[std::string(NameOf(proof.fate))];
    ++total.files;
    total.bytes += proof.size;
    if (IsSafe(proof.fate)) {
      first_ = std::min(first_, proof.begun == 0 ? proof.at : proof.begun);
      last_ = std::max(last_, proof.at);
      safe_ += proof.size;
      sent_ += proof.sent;
    }
    if (!options_.totals) Print(proof);
  }

  // What a daemon says of a file that is not uploaded yet.
  void AddUnfinished(json const& file) {
    auto const state = TextOf(file, "state");
    auto& total = totals_[state];
    ++total.files;
    total.bytes += NumberOf(file, "size");
    if (options_.totals) return;
    switch (options_.format) {
      case Format::kTable:
        std::printf("%-19s  %-11s %12s  %s%s\n", "", Printable(state).c_str(),
                    ShowBytes(NumberOf(file, "size")).c_str(),
                    Printable(TextOf(file, "path")).c_str(), Reason(TextOf(file, "error")).c_str());
        return;
      case Format::kCsv:
        std::printf(",%s,%llu,%s,,,,,,,,,%s\n", state.c_str(),
                    static_cast<unsigned long long>(NumberOf(file, "size")),
                    CsvField(TextOf(file, "path")).c_str(),
                    CsvField(TextOf(file, "error")).c_str());
        return;
      case Format::kJson:
        PrintObject({{"path", TextOf(file, "path")},
                     {"state", state},
                     {"size", NumberOf(file, "size")},
                     {"reason", OrNull(TextOf(file, "error"))}});
        return;
    }
  }

  void End(std::string const& behind) {
    auto const seconds = last_ > first_ ? static_cast<double>(last_ - first_) / 1e9 : 0.0;
    auto const rate = seconds > 0 ? static_cast<std::uint64_t>(static_cast<double>(safe_) / seconds)
                                  : std::uint64_t{0};
    if (options_.format == Format::kJson) return EndJson(behind, rate);
    if (options_.format == Format::kCsv && !options_.totals) return;
    std::uint64_t files = 0;
    for (auto const& [state, total] : totals_) {
      files += total.files;
      std::printf("%s: %s, %s\n", Printable(state).c_str(),
                  Counted(total.files, "file", "files").c_str(), ShowBytes(total.bytes).c_str());
    }
    if (files == 0) std::printf("no files\n");
    if (last_ > 0) {
      std::printf("from %s to %s: %s/s, %s sent\n", ShowMoment(first_).c_str(),
                  ShowMoment(last_).c_str(), ShowBytes(rate).c_str(), ShowBytes(sent_).c_str());
    }
  }

  [[nodiscard]] bool HasAny() const { return !totals_.empty(); }

 private:
  struct Total {
    std::uint64_t files = 0;
    std::uint64_t bytes = 0;
  };

  static std::string Reason(std::string const& reason) {
    return reason.empty() ? "" : " (" + Printable(reason) + ")";
  }

  void Print(Proof const& proof) {
    switch (options_.format) {
      case Format::kTable:
        std::printf("%-19s  %-11s %12s  %s%s\n", ShowMoment(proof.at).c_str(),
                    std::string(NameOf(proof.fate)).c_str(), ShowBytes(proof.size).c_str(),
                    Printable(proof.path).c_str(), Reason(proof.reason).c_str());
        return;
      case Format::kCsv:
        std::printf("%s\n", ToCsv(proof).c_str());
        return;
      case Format::kJson:
        PrintObject(ToJson(proof));
        return;
    }
  }

  void PrintObject(json const& object) {
    auto const text = object.dump(-1, ' ', false, json::error_handler_t::replace);
    std::printf("%s%s", is_begun_ ? ",\n" : "\n", text.c_str());
    is_begun_ = true;
  }

  void EndJson(std::string const& behind, std::uint64_t rate) {
    json totals = json::object();
    for (auto const& [state, total] : totals_) {
      totals[state] = {{"files", total.files}, {"bytes", total.bytes}};
    }
    json const end{{"totals", totals},
                   {"first", last_ == 0 ? json() : json(IsoUtc(first_))},
                   {"last", last_ == 0 ? json() : json(IsoUtc(last_))},
                   {"rate", rate},
                   {"sent", sent_},
                   {"behind", OrNull(behind)}};
    std::printf("],\n%s\n",
                WithSchema(end).dump(-1, ' ', false, json::error_handler_t::replace).c_str() + 1);
  }

  ReportOptions const& options_;
  std::map<std::string, Total> totals_;
  std::uint64_t safe_ = 0;  ///< bytes
  std::uint64_t sent_ = 0;  ///< bytes
  FileTime first_ = std::numeric_limits<FileTime>::max();
  FileTime last_ = 0;
  bool is_begun_ = false;
};

class Filter {
 public:
  Filter(ReportOptions const& options, std::string const& path) : options_(options), path_(path) {}

  [[nodiscard]] bool Takes(Proof const& proof) const {
    if (options_.since && proof.at < *options_.since) return false;
    if (options_.until && proof.at >= *options_.until) return false;
    if (!options_.states.empty() && !options_.states.contains(proof.fate)) return false;
    return IsAtOrBeneath(proof.path, path_);
  }

 private:
  ReportOptions const& options_;
  std::string const& path_;
};

// The last of each path decides. What the daemon has at hand it knows better.
Result<void> ReportMissing(Evidence const& evidence, Filter const& filter, ReportPrinter& printer) {
  std::unordered_map<std::string, Proof> missing;
  auto const visited = VisitEvidence(evidence, [&](LedgerRow const& row) {
    if (!filter.Takes(row.proof)) return true;
    if (IsSafe(row.proof.fate)) {
      missing.erase(row.proof.path);
    } else {
      missing.insert_or_assign(row.proof.path, row.proof);
    }
    return true;
  });
  if (!visited) return visited;
  if (evidence.place && evidence.behind.empty()) {
    auto const listed = VisitFiles(*evidence.place, "unfinished", {}, [&](json const& file) {
      missing.erase(TextOf(file, "path"));
      // What is never uploaded is not missed, as by tusfsctl wait.
      if (TextOf(file, "state") != "local-only") printer.AddUnfinished(file);
    });
    // A part of a mount that nobody has any more has nothing unfinished.
    if (!listed && listed.error().code != ENOENT) return listed;
  }
  std::vector<Proof const*> rows;
  for (auto const& [path, proof] : missing) rows.push_back(&proof);
  std::ranges::sort(rows, {}, [](Proof const* proof) { return std::tie(proof->at, proof->path); });
  for (auto const* const proof : rows) printer.Add(*proof);
  return {};
}

// Whether there is, or ever was, a file at the path or beneath it. A typing error is no good news.
Result<bool> IsKnown(Evidence const& evidence) {
  bool is_known = evidence.path.empty();
  if (is_known) return true;
  auto const visited = VisitEvidence(evidence, [&](LedgerRow const& row) {
    is_known = IsAtOrBeneath(row.proof.path, evidence.path);
    return !is_known;
  });
  if (!visited) return Failure(visited.error());
  if (is_known || !evidence.place || !evidence.behind.empty()) return is_known;
  auto const listed = VisitFiles(*evidence.place, "unfinished", {}, [&](json const& file) {
    is_known = is_known || IsAtOrBeneath(TextOf(file, "path"), evidence.path);
  });
  if (!listed && listed.error().code != ENOENT) return Failure(listed.error());
  return is_known;
}

}  // namespace

std::string CsvField(std::string const& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string field = "\"";
  for (auto const c : text) {
    if (c == '"') field += '"';
    field += c;
  }
  return field + "\"";
}

int ReportFiles(ReportOptions const& options) {
  if (options.since && options.until && *options.since >= *options.until) {
    return Complain("--since is not before --until: nothing happened then");
  }
  auto const evidence = FindEvidence(options.path, options.state_dir);
  if (!evidence) return Complain(evidence.error().context);
  auto const is_known = IsKnown(*evidence);
  if (!is_known) return Complain(Describe(is_known.error()));
  if (!*is_known) return Complain("nothing is known of '" + evidence->path + "': is it misspelt?");
  if (!evidence->behind.empty()) {
    Complain("what became of files in the last moments may be missing: " + evidence->behind);
  }
  Filter const filter(options, evidence->path);
  ReportPrinter printer(options);
  auto const reported = options.missing ? ReportMissing(*evidence, filter, printer)
                                        : VisitEvidence(*evidence, [&](LedgerRow const& row) {
                                            if (filter.Takes(row.proof)) printer.Add(row.proof);
                                            return true;
                                          });
  // An object without its end says that something went wrong.
  if (!reported) return Complain(Describe(reported.error()));
  printer.End(evidence->behind);
  return options.missing && printer.HasAny() ? kStuck : kDone;
}

}  // namespace tusfs
