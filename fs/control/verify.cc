#include "control/verify.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <map>
#include <mutex>
#include <system_error>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "control/answers.h"
#include "control/evidence.h"
#include "control/known_tree.h"
#include "control/mhl.h"
#include "control/outcome.h"
#include "control/progress.h"
#include "control/verify_text.h"

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

Result<void> CheckReceipt(std::string const& receipt, fs::path const& source) {
  if (receipt.empty()) return {};
  for (auto const& file : {receipt, receipt + ".json"}) {
    if (auto free = CheckReplaceable(file); !free) {
      return Fail(EINVAL, "--receipt: " + free.error().context);
    }
  }
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
  auto const object =
      WithSchema(ToJson(result)).dump(1, ' ', false, json::error_handler_t::replace);
  if (text) text = ReplaceFile(receipt + ".json", object + "\n");
  if (text) return {};
  return Fail(text.error().code,
              "the receipt '" + receipt + "' cannot be written: " + Describe(text.error()));
}

// The files of a manifest, as if they had been seen.
Result<std::vector<SourceEntry>> ListManifest(std::string const& file,
                                              std::map<std::string, MediaFile>& listed) {
  auto manifest = ReadManifestFile(file);
  if (!manifest) return Failure(manifest.error());
  std::vector<SourceEntry> entries;
  for (auto& media : manifest->files) {
    SourceEntry entry;
    entry.path = media.path;
    entry.size = media.size.value_or(0);
    entry.modified = media.modified;
    entry.is_junk = IsJunk(media.path);
    bool const is_first = listed.emplace(media.path, std::move(media)).second;
    if (!is_first) return Fail(EINVAL, "'" + file + "' has '" + entry.path + "' twice");
    entries.push_back(std::move(entry));
  }
  return entries;
}

// A card is read for minutes, and the mount goes on meanwhile.
Result<void> LookAgain(VerifyOptions const& options, KnownTree const& before,
                       std::vector<ComparedFile> const& files, std::vector<std::string>& doubts) {
  auto const evidence = FindEvidence(options.path, options.state_dir);
  if (!evidence) return Failure(evidence.error());
  std::vector<std::string> now;
  auto const known = LoadKnown(*evidence, now);
  if (!known) return Failure(known.error());
  if (auto const path = ChangedSince(before, *known, files)) {
    doubts.push_back("'" + Printable(*path) +
                     "' was changed in the mount while the source was read: ask again");
  }
  if (doubts.empty()) doubts = std::move(now);
  return {};
}

// A list need not say sizes; then the hash says it all.
void AddSizes(std::vector<SourceEntry>& entries, std::map<std::string, MediaFile> const& listed,
              KnownTree const& known) {
  for (auto& entry : entries) {
    auto const found = known.files.find(entry.path);
    bool const is_unsaid = !listed.at(entry.path).size && found != known.files.end();
    if (is_unsaid) entry.size = found->second.proof.size;
  }
}

std::string TargetOf(Evidence const& evidence) {
  auto const top = evidence.place ? evidence.place->mount.mount : evidence.state_dir.string();
  return evidence.path.empty() ? top : top + "/" + evidence.path;
}

}  // namespace

int Verify(VerifyOptions const& options) {
  auto const source =
      fs::absolute(options.mhl.empty() ? options.source : options.mhl).lexically_normal();
  if (auto const within = FindPlace(source.string()); within && options.mhl.empty()) {
    return Complain("'" + options.source +
                    "' is in the mount itself: name the card or the directory that was copied");
  }
  if (auto checked = CheckReceipt(options.receipt, source); !checked) {
    return Complain(checked.error().context);
  }
  std::map<std::string, MediaFile> listed;
  auto entries = options.mhl.empty() ? ListSource(source) : ListManifest(options.mhl, listed);
  if (!entries) return Complain("there is no source: " + entries.error().context);
  auto const evidence = FindEvidence(options.path, options.state_dir);
  if (!evidence) return Complain(evidence.error().context);
  std::vector<std::string> doubts;
  auto const known = LoadKnown(*evidence, doubts);
  if (!known) return Complain(Describe(known.error()));
  if (!options.mhl.empty()) AddSizes(*entries, listed, *known);
  SourceComparison comparison(*entries, *known, options.mappings, options.counts_junk);
  ReadingBar bar(comparison.bytes());
  auto const directory = fs::is_directory(source) ? source : source.parent_path();
  if (options.mhl.empty()) {
    comparison.Run(directory, options.jobs, [&](std::uint64_t bytes) { bar.Pass(bytes); }, {});
  } else {
    comparison.Judge([&](ComparedFile const& file) {
      return JudgeManifest(listed.at(file.entry.path), *file.known);
    });
  }
  bar.End();
  auto const again = options.mhl.empty() ? ListSource(source) : entries;
  if (!again || *again != *entries) {
    doubts.emplace_back("the source changed while it was read: try again when nobody writes to it");
  }
  if (auto changed = LookAgain(options, *known, comparison.files(), doubts); !changed) {
    return Complain(Describe(changed.error()));
  }
  VerifyResult const result{
      source.string(),    TargetOf(*evidence), known->server, SystemClock().Wall(),
      comparison.files(), comparison.junk(),   doubts};
  if (!options.receipt.empty()) {
    if (auto written = WriteReceipt(options.receipt, result); !written) {
      return Complain(written.error().context);
    }
  }
  auto const text =
      options.as_json
          ? WithSchema(ToJson(result)).dump(-1, ' ', false, json::error_handler_t::replace) + "\n"
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
