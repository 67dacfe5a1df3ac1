#include "control/verify_text.h"

#include <algorithm>
#include <map>

#include "base/file_digest.h"
#include "base/iso_time.h"
#include "base/text.h"
#include "control/answers.h"
#include "control/evidence.h"
#include "control/moment.h"
#include "proof/words.h"
#include "version.h"

namespace tusfs {
namespace {

using nlohmann::json;

struct Counts {
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
};

std::map<CardFinding, Counts> CountFindings(VerifyResult const& result) {
  std::map<CardFinding, Counts> counts;
  for (auto const& file : result.files) {
    auto& count = counts[file.verdict.finding];
    ++count.files;
    count.bytes += file.entry.size;
  }
  return counts;
}

std::uint64_t CountSafe(VerifyResult const& result) {
  return static_cast<std::uint64_t>(std::ranges::count_if(
      result.files,
      [](ComparedFile const& file) { return file.verdict.finding == CardFinding::kOnServer; }));
}

FileTime LastConfirmed(VerifyResult const& result) {
  FileTime last = 0;
  for (auto const& file : result.files) {
    if (file.verdict.finding == CardFinding::kOnServer) last = std::max(last, file.known->proof.at);
  }
  return last;
}

std::string FilesOf(std::uint64_t count) {
  return std::to_string(count) + (count == 1 ? " file" : " files");
}

json ToJson(ComparedFile const& file) {
  json object{{"source", file.entry.path},
              {"path", file.path},
              {"finding", NameOf(file.verdict.finding)},
              {"why", OrNull(file.verdict.why)},
              {"size", file.entry.size},
              {"another_form", file.has_another_form}};
  // What is not known to be its own says nothing of it.
  if (file.verdict.finding != CardFinding::kOnServer) return object;
  auto const& proof = file.known->proof;
  object["proved_by"] = NameOf(proof.proved);
  object["confirmed"] = IsoUtc(proof.at);
  object["upload"] = proof.upload.ToString();
  object["blocks"] = Hex(proof.root);
  object["xxh128"] = OrNull(Hex(proof.digests.xxh128));
  object["sha256"] = OrNull(Hex(proof.digests.sha256));
  return object;
}

std::string Line(ComparedFile const& file) {
  auto const name = Printable(file.entry.path) +
                    (file.path == file.entry.path ? "" : " (" + Printable(file.path) + ")");
  auto const why = file.verdict.why.empty() ? "" : ": " + Printable(file.verdict.why);
  return std::string(NameOf(file.verdict.finding)) + ": " + name + why + "\n";
}

// What is worth a word, and changes nothing.
std::string Remarks(VerifyResult const& result) {
  std::string text;
  auto const others = std::ranges::count_if(
      result.files, [](ComparedFile const& file) { return file.has_another_form; });
  if (others > 0) {
    text += FilesOf(static_cast<std::uint64_t>(others)) +
            " with names in another form of Unicode than in the mount\n";
  }
  if (!result.junk.empty()) {
    text += "not counted: " + FilesOf(result.junk.size()) +
            " that desktops leave behind, such as " + Printable(result.junk.front()) + "\n";
  }
  return text;
}

}  // namespace

bool IsSafe(VerifyResult const& result) {
  return !result.files.empty() && result.doubts.empty() && CountSafe(result) == result.files.size();
}

std::string Sentence(VerifyResult const& result) {
  auto const safe = CountSafe(result);
  auto const all = result.files.size();
  if (IsSafe(result)) {
    std::uint64_t bytes = 0;
    for (auto const& file : result.files) bytes += file.entry.size;
    return "SAFE TO FORMAT: " + std::to_string(safe) + " of " + FilesOf(all) + " (" +
           ShowBytes(bytes) + ") are on the server, the last confirmed at " +
           ShowMoment(LastConfirmed(result));
  }
  std::string const no = "DO NOT FORMAT: ";
  if (safe < all) {
    auto const left = all - safe;
    return no + std::to_string(left) + " of " + FilesOf(all) + (left == 1 ? " is" : " are") +
           " not known to be on the server";
  }
  if (!result.doubts.empty()) return no + Printable(result.doubts.front());
  return no + "there is no file in '" + Printable(result.source) + "'";
}

std::string ShowVerdict(VerifyResult const& result) {
  std::string text;
  for (auto const& file : result.files) {
    if (file.verdict.finding != CardFinding::kOnServer) text += Line(file);
  }
  for (auto const& [finding, count] : CountFindings(result)) {
    text += std::string(NameOf(finding)) + ": " + FilesOf(count.files) + ", " +
            ShowBytes(count.bytes) + "\n";
  }
  text += Remarks(result);
  for (auto const& doubt : result.doubts) text += "in doubt: " + Printable(doubt) + "\n";
  return text + Sentence(result) + "\n";
}

json ToJson(VerifyResult const& result) {
  json files = json::array();
  for (auto const& file : result.files) files.push_back(ToJson(file));
  json counts = json::object();
  for (auto const& [finding, count] : CountFindings(result)) {
    counts[std::string(NameOf(finding))] = {{"files", count.files}, {"bytes", count.bytes}};
  }
  auto const last = LastConfirmed(result);
  return {{"safe", IsSafe(result)},
          {"sentence", Sentence(result)},
          {"source", result.source},
          {"target", result.target},
          {"server", OrNull(result.server)},
          {"compared", IsoUtc(result.at)},
          {"last_confirmed", last == 0 ? json() : json(IsoUtc(last))},
          {"counts", counts},
          {"doubts", result.doubts},
          {"junk", result.junk},
          {"files", files}};
}

std::string ReceiptText(VerifyResult const& result) {
  std::string text = "tusfs receipt\n\n" + Sentence(result) + "\n\n";
  text += "source:   " + Printable(result.source) + "\n";
  text += "mount:    " + Printable(result.target) + "\n";
  if (!result.server.empty()) text += "server:   " + Printable(result.server) + "\n";
  text += "compared: " + IsoUtc(result.at) + ", by tusfsctl " + kVersion + "\n";
  text += Remarks(result);
  for (auto const& doubt : result.doubts) text += "in doubt: " + Printable(doubt) + "\n";
  for (auto const& file : result.files) {
    text += "\n" + Line(file);
    text += "  " + std::to_string(file.entry.size) + " bytes\n";
    if (file.verdict.finding != CardFinding::kOnServer) continue;
    auto const& proof = file.known->proof;
    text += "  confirmed " + IsoUtc(proof.at) + ", proved by " + std::string(NameOf(proof.proved)) +
            ", upload " + proof.upload.ToString() + "\n";
    if (!proof.digests.sha256.empty()) text += "  sha256 " + Hex(proof.digests.sha256) + "\n";
    if (!proof.digests.xxh128.empty()) text += "  xxh128 " + Hex(proof.digests.xxh128) + "\n";
    text += "  xxh128 of the digests of its blocks of 4 MiB " + Hex(proof.root) + "\n";
  }
  return text;
}

}  // namespace tusfs
