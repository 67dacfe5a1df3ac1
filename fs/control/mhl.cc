#include "control/mhl.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <map>
#include <utility>

#include "base/clock.h"
#include "base/file.h"
#include "base/machine.h"
#include "base/text.h"
#include "control/answers.h"
#include "control/known_tree.h"
#include "control/outcome.h"
#include "mhl/history.h"
#include "mhl/xml.h"
#include "proof/source_reader.h"
#include "version.h"

namespace tusfs {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr off_t kLargestManifest = off_t{1} << 30;

// The history's own folder.
bool IsOfHistory(std::string const& path) {
  return path == "ascmhl" || path.starts_with("ascmhl/") ||
         path.find("/ascmhl/") != std::string::npos;
}

// The files that are to be listed: those that the mount has now, or all that the ledger knows.
Result<std::vector<std::string>> ListUploaded(Evidence const& evidence, KnownTree const& known,
                                              std::vector<std::string>& left_out) {
  std::vector<std::string> paths;
  if (!evidence.place) {
    for (auto const& [path, file] : known.files) {
      auto const fate = file.proof.fate;
      bool const has_gone =
          fate == Fate::kRemoved || fate == Fate::kDiscarded || fate == Fate::kDropped;
      if (!has_gone && !IsOfHistory(path)) paths.push_back(path);
    }
    return paths;
  }
  auto place = *evidence.place;
  place.path = evidence.path;
  auto const listed = VisitFiles(place, "list", {}, [&](json const& file) {
    auto path = Beneath(TextOf(file, "path"), evidence.path);
    if (IsOfHistory(path)) return;
    auto const state = TextOf(file, "state");
    (state == "local-only" ? left_out : paths).push_back(std::move(path));
  });
  if (!listed) return Failure(listed.error());
  std::ranges::sort(paths);
  return paths;
}

// Makes the manifest's entries, and says why one cannot be made.
class Lister {
 public:
  Lister(MhlOptions const& options, fs::path directory, KnownTree const& known)
      : options_(options), directory_(std::move(directory)), known_(known) {}

  Result<MediaFile> Make(std::string const& path) const {
    if (!FitsIntoXml(path)) {
      return Fail(EILSEQ, "a media hash list cannot have a name with such characters");
    }
    auto const live = known_.unfinished.find(path);
    auto const unfinished = live == known_.unfinished.end() ? std::optional<UnfinishedFile>()
                                                            : std::optional(live->second);
    auto const found = known_.files.find(path);
    auto const* const known = found == known_.files.end() ? nullptr : &found->second;
    SourceEntry entry;
    entry.path = path;
    if (known != nullptr) entry.size = known->proof.size;
    if (auto const verdict = JudgeUnread(entry, known, unfinished)) {
      return Fail(ENODATA, std::string(NameOf(verdict->finding)) +
                               (verdict->why.empty() ? "" : ": " + verdict->why));
    }
    auto hash = KnownHash(known->proof.digests, options_.format);
    if (!hash && options_.reads) {
      auto read = Read(path, *known);
      if (!read) return Failure(read.error());
      hash = *std::move(read);
    }
    if (!hash) {
      return Fail(ENODATA, "its " + std::string(NameOf(options_.format)) +
                               " is not known: --read takes it in the mount");
    }
    return MediaFile{.path = path,
                     .size = known->proof.size,
                     .modified = known->proof.modified,
                     .hashes = {{.format = options_.format, .value = *std::move(hash)}}};
  }

 private:
  // Of bytes that turn out to be those that the server has.
  Result<std::string> Read(std::string const& path, KnownFile const& known) const {
    auto const file = directory_ / path;
    auto entries = ListSource(file);
    if (!entries) return Failure(entries.error());
    MediaHasher hasher(options_.format);
    auto const bytes = ReadSource(
        file, entries->front(), [&](std::span<std::byte const> seen) { hasher.Update(seen); }, {});
    auto const verdict = JudgeBytes(entries->front(), known, bytes);
    auto hash = hasher.Take();
    if (verdict.finding == CardFinding::kOnServer && hash) return *std::move(hash);
    return Fail(ENODATA, verdict.why.empty() ? "its hash cannot be taken here" : verdict.why);
  }

  MhlOptions const& options_;
  fs::path const directory_;
  KnownTree const& known_;
};

int Refuse(std::vector<std::pair<std::string, std::string>> const& problems) {
  for (auto const& [path, why] : problems) {
    std::fprintf(stderr, "tusfsctl: %s: %s\n", Printable(path).c_str(), Printable(why).c_str());
  }
  std::fprintf(stderr, "tusfsctl: no media hash list was written\n");
  return kStuck;
}

int Add(fs::path const& out, std::string const& name, Manifest manifest,
        std::vector<std::string> const& left_out) {
  auto const history = ReadHistory(out);
  if (!history) return Complain(history.error().context);
  auto const failed = MarkActions(*history, manifest);
  for (auto const& path : failed) {
    std::fprintf(stderr, "tusfsctl: %s: the history has another hash of it\n",
                 Printable(path).c_str());
  }
  auto const path = AddGeneration(out, name, *history, manifest);
  if (!path) return Complain("the media hash list cannot be written: " + Describe(path.error()));
  std::printf("%s: %zu files", Printable(path->string()).c_str(), manifest.files.size());
  if (!left_out.empty()) {
    std::printf("; %zu that are never uploaded are not in it, such as %s", left_out.size(),
                Printable(left_out.front()).c_str());
  }
  std::printf("\n");
  return failed.empty() ? kDone : kStuck;
}

}  // namespace

int WriteMhl(MhlOptions const& options) {
  auto const evidence = FindEvidence(options.path, options.state_dir);
  if (!evidence) return Complain(evidence.error().context);
  if (!evidence->place && (options.out.empty() || options.reads)) {
    return Complain(
        "where nothing is mounted --out names where the history is written, and there "
        "is nothing to --read");
  }
  std::vector<std::string> doubts;
  auto const known = LoadKnown(*evidence, doubts);
  if (!known) return Complain(Describe(known.error()));
  if (!doubts.empty()) return Complain(doubts.front());
  std::vector<std::string> left_out;
  auto const paths = ListUploaded(*evidence, *known, left_out);
  if (!paths) return Complain(Describe(paths.error()));
  auto const directory = evidence->place ? fs::path(evidence->place->mount.mount) / evidence->path
                                         : fs::path(evidence->path);
  Lister const lister(options, directory, *known);
  Manifest manifest{.created = SystemClock().Wall(),
                    .host = HostName(),
                    .tool = "tusfsctl",
                    .tool_version = kVersion};
  std::vector<std::pair<std::string, std::string>> problems;
  for (auto const& path : *paths) {
    auto file = lister.Make(path);
    if (file) {
      manifest.files.push_back(*std::move(file));
    } else {
      problems.emplace_back(path, Describe(file.error()));
    }
  }
  if (!problems.empty()) return Refuse(problems);
  if (manifest.files.empty()) return Complain("no file beneath '" + options.path + "' is known");
  auto const out = options.out.empty() ? directory : fs::path(options.out);
  auto const name = fs::absolute(out).lexically_normal();
  auto const last = name.has_filename() ? name.filename() : name.parent_path().filename();
  return Add(out, last.string(), std::move(manifest), left_out);
}

Result<Manifest> ReadManifestFile(std::string const& file) {
  auto const fd = OpenFile(file, O_RDONLY | O_NONBLOCK);
  if (!fd) return Failure(fd.error());
  struct stat status {};
  if (::fstat(fd->get(), &status) != 0) return FailErrno("'" + file + "'");
  if (!S_ISREG(status.st_mode) || status.st_size > kLargestManifest) {
    return Fail(EINVAL, "'" + file + "' is no media hash list: name the .mhl file");
  }
  std::string text(static_cast<std::size_t>(status.st_size), '\0');
  auto const got = ReadFully(fd->get(), std::as_writable_bytes(std::span(text)), 0);
  if (!got) return Failure(got.error());
  text.resize(*got);
  auto manifest = ParseManifest(text);
  if (manifest) return manifest;
  return Fail(EINVAL, "'" + file + "' is no media hash list: " + manifest.error().context);
}

FileVerdict JudgeManifest(MediaFile const& file, KnownFile const& known) {
  bool is_compared = false;
  for (auto const& hash : file.hashes) {
    auto const name = std::string(NameOf(hash.format));
    if (hash.action == HashAction::kFailed) {
      return {CardFinding::kUnproven, "the manifest says that its " + name + " was wrong"};
    }
    auto const is = KnownHash(known.proof.digests, hash.format);
    if (!is) continue;
    if (*is != hash.value) return {CardFinding::kDifferent, "its " + name + " is another one"};
    is_compared = true;
  }
  if (is_compared) return {CardFinding::kOnServer, {}};
  return {CardFinding::kUnproven,
          "no hash that the manifest has of it is known here: verify the source itself"};
}

}  // namespace tusfs
