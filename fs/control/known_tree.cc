#include "control/known_tree.h"

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "base/text.h"
#include "control/answers.h"
#include "proof/rest_note.h"
#include "spool/spool.h"

namespace tusfs {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

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
    // Whether it was closed, or is interrupted, the next mount finds out.
    known.unfinished[Beneath(path, evidence.path)] = {is_finished ? "queued" : "unfinished", ""};
  }
  return {};
}

}  // namespace

Result<KnownTree> LoadKnown(Evidence const& evidence, std::vector<std::string>& doubts) {
  KnownTree known;
  if (evidence.place) {
    known.server = ServerOf(evidence.place->mount.url);
  } else if (auto server = ServerAtRest(evidence.state_dir)) {
    known.server = *std::move(server);
  } else {
    doubts.emplace_back(
        "the mount has not ended in order, or was taken to another server since: mount it, and "
        "ask again");
  }
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
        known.files[Beneath(row.proof.path, evidence.path)] = {.proof = row.proof,
                                                               .blocks = BlocksOf(row)};
        return true;
      },
      [&] {
        for (auto& [path, file] : known.files) file.before_damage = true;
      });
  if (!visited) return Failure(visited.error());
  for (auto& [path, file] : known.files) {
    auto const& server = file.proof.server;
    file.is_elsewhere = !server.empty() && !known.server.empty() && server != known.server;
  }
  if (!evidence.behind.empty()) {
    doubts.push_back("what was changed in the mount lately is not known: " + evidence.behind);
  }
  return known;
}

std::optional<std::string> ChangedSince(KnownTree const& before, KnownTree const& now,
                                        std::vector<ComparedFile> const& files) {
  auto const row_of = [](KnownTree const& tree, std::string const& path) {
    auto const found = tree.files.find(path);
    return found == tree.files.end() ? Uuid() : found->second.proof.id;
  };
  for (auto const& file : files) {
    bool const is_same =
        row_of(before, file.path) == row_of(now, file.path) &&
        before.unfinished.contains(file.path) == now.unfinished.contains(file.path);
    if (!is_same) return file.path;
  }
  return std::nullopt;
}

std::string Beneath(std::string const& path, std::string const& top) {
  if (top.empty()) return path;
  return path == top ? fs::path(path).filename().string() : path.substr(top.size() + 1);
}

}  // namespace tusfs
