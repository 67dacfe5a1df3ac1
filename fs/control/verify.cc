#include "control/verify.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <mutex>
#include <system_error>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "control/answers.h"
#include "control/evidence.h"
#include "control/outcome.h"
#include "control/progress.h"
#include "control/verify_text.h"
#include "spool/spool.h"

namespace tusfs {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// A line on a terminal, while a source is being read.
class ReadingBar {
 public:
  explicit ReadingBar(std::uint64_t bytes)
      : bytes_(bytes),
        is_shown_(bytes > 0 && ::isatty(STDERR_FILENO) != 0),
        began_(std::chrono::steady_clock::now()),
        shown_(began_) {}

  void Pass(std::uint64_t bytes) {
    auto const done = done_ += bytes;
    std::unique_lock const lock(mutex_, std::try_to_lock);
    auto const now = std::chrono::steady_clock::now();
    if (!is_shown_ || !lock || now - shown_ < std::chrono::milliseconds(250)) return;
    shown_ = now;
    auto const seconds = std::chrono::duration<double>(now - began_).count();
    auto const rate = static_cast<double>(done) / seconds;
    auto const left = std::chrono::seconds(
        static_cast<std::int64_t>(static_cast<double>(bytes_ - std::min(bytes_, done)) / rate));
    std::fprintf(stderr, "\r\x1b[Kreading: %3d %%, %s of %s, %s/s, %s left",
                 static_cast<int>(done * 100 / bytes_), ShowBytes(done).c_str(),
                 ShowBytes(bytes_).c_str(), ShowBytes(static_cast<std::uint64_t>(rate)).c_str(),
                 ShowDuration(left).c_str());
  }

  void End() const {
    if (is_shown_) std::fputs("\r\x1b[K", stderr);
  }

 private:
  std::uint64_t const bytes_;
  bool const is_shown_;
  std::chrono::steady_clock::time_point const began_;
  std::atomic<std::uint64_t> done_ = 0;
  std::mutex mutex_;
  std::chrono::steady_clock::time_point shown_;
};

// Relative to where the source belongs.
std::string Beneath(std::string const& path, std::string const& top) {
  if (top.empty()) return path;
  return path == top ? fs::path(path).filename().string() : path.substr(top.size() + 1);
}

// Without a mount the spool's files say what they are, as of a moment before the end.
Result<void> AddSpooled(Evidence const& evidence, KnownTree& known) {
  auto const directory = evidence.state_dir / "spool";
  std::error_code failed;
  if (!fs::is_directory(directory, failed)) return {};
  auto const spool = Spool::Open(directory);
  if (!spool) return Failure(spool.error());
  auto const all = (*spool)->ListDescribed();
  if (!all) return Failure(all.error());
  for (auto const& found : *all) {
    if (!found.description || found.description->state == Description::State::kUploaded) continue;
    auto const& path = found.description->path;
    if (!IsAtOrBeneath(path, evidence.path)) continue;
    bool const is_finished = found.description->state == Description::State::kFinished;
    known.unfinished[Beneath(path, evidence.path)] = {is_finished ? "queued" : "interrupted", ""};
  }
  return {};
}

Result<KnownTree> LoadKnown(Evidence const& evidence, std::vector<std::string>& doubts) {
  KnownTree known;
  // What happens after the daemon was asked is not uploaded, or is in the rows that are read next.
  if (evidence.place && evidence.behind.empty()) {
    auto const listed = VisitFiles(*evidence.place, "unfinished", {}, [&](json const& file) {
      auto const path = TextOf(file, "path");
      if (!IsAtOrBeneath(path, evidence.path)) return;
      known.unfinished[Beneath(path, evidence.path)] = {TextOf(file, "state"),
                                                        TextOf(file, "error")};
    });
    // What was removed from the mount since is in the ledger all the same.
    if (!listed && listed.error().code != ENOENT) return Failure(listed.error());
  }
  if (!evidence.place) {
    if (auto const found = AddSpooled(evidence, known); !found) return Failure(found.error());
  }
  auto const visited = VisitEvidence(
      evidence,
      [&](LedgerRow const& row) {
        if (!IsAtOrBeneath(row.proof.path, evidence.path)) return true;
        known.files[Beneath(row.proof.path, evidence.path)] = {row.proof, BlocksOf(row), false};
        return true;
      },
      [&] {
        for (auto& [path, file] : known.files) file.before_damage = true;
      });
  if (!visited) return Failure(visited.error());
  if (!evidence.behind.empty()) {
    doubts.push_back("what was changed in the mount lately is not known: " + evidence.behind);
  }
  return known;
}

Result<void> CheckReceipt(std::string const& receipt, fs::path const& source) {
  if (receipt.empty()) return {};
  std::error_code failed;
  auto const where = fs::weakly_canonical(fs::absolute(receipt), failed);
  auto const top = fs::weakly_canonical(fs::absolute(source), failed);
  if (IsAtOrBeneath(where.string(), top.string())) {
    return Fail(EINVAL, "--receipt '" + receipt + "' is in the source: name a file elsewhere");
  }
  return {};
}

Result<void> WriteReceipt(std::string const& receipt, VerifyResult const& result) {
  auto text = ReplaceFile(receipt, ReceiptText(result));
  auto const object = ToJson(result).dump(1, ' ', false, json::error_handler_t::replace);
  if (text) text = ReplaceFile(receipt + ".json", object + "\n");
  if (text) return {};
  return Fail(text.error().code,
              "the receipt '" + receipt + "' cannot be written: " + Describe(text.error()));
}

std::string TargetOf(Evidence const& evidence) {
  auto const top = evidence.place ? evidence.place->mount.mount : evidence.state_dir.string();
  return evidence.path.empty() ? top : top + "/" + evidence.path;
}

}  // namespace

int Verify(VerifyOptions const& options) {
  auto const source = fs::absolute(options.source).lexically_normal();
  if (auto const within = FindPlace(options.source)) {
    return Complain("'" + options.source +
                    "' is in the mount itself: name the card or the directory that was copied");
  }
  if (auto checked = CheckReceipt(options.receipt, source); !checked) {
    return Complain(checked.error().context);
  }
  auto const entries = ListSource(source);
  if (!entries) return Complain("there is no source: " + entries.error().context);
  auto const evidence = FindEvidence(options.path, options.state_dir);
  if (!evidence) return Complain(evidence.error().context);
  std::vector<std::string> doubts;
  auto const known = LoadKnown(*evidence, doubts);
  if (!known) return Complain(Describe(known.error()));
  SourceComparison comparison(*entries, *known, options.mappings, options.counts_junk);
  ReadingBar bar(comparison.bytes());
  auto const directory = fs::is_directory(source) ? source : source.parent_path();
  comparison.Run(directory, options.jobs, [&](std::uint64_t bytes) { bar.Pass(bytes); }, {});
  bar.End();
  auto const again = ListSource(source);
  if (!again || *again != *entries) {
    doubts.emplace_back("the source changed while it was read: try again when nobody writes to it");
  }
  VerifyResult const result{source.string(),
                            TargetOf(*evidence),
                            evidence->place ? evidence->place->mount.url : "",
                            SystemClock().Wall(),
                            comparison.files(),
                            comparison.junk(),
                            doubts};
  if (!options.receipt.empty()) {
    if (auto written = WriteReceipt(options.receipt, result); !written) {
      return Complain(written.error().context);
    }
  }
  auto const text = options.as_json
                        ? ToJson(result).dump(-1, ' ', false, json::error_handler_t::replace) + "\n"
                        : ShowVerdict(result);
  std::fputs(text.c_str(), stdout);
  return IsSafe(result) ? kDone : kStuck;
}

Result<PathMapping> ParseMapping(std::string const& text) {
  auto const at = text.find('=');
  auto const spelled = [](std::string const& path) {
    auto normal = fs::path("/" + path).lexically_normal().string().substr(1);
    while (normal.ends_with('/')) normal.pop_back();
    return normal;
  };
  if (at == std::string::npos) {
    return Fail(EINVAL, "it takes FROM=TO, such as DCIM/100CANON=day1/A001, not '" + text + "'");
  }
  return PathMapping{spelled(text.substr(0, at)), spelled(text.substr(at + 1))};
}

}  // namespace tusfs
