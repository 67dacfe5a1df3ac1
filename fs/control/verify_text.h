// What tusfsctl verify says of a comparison: to a person, as JSON, and on a receipt.
//
// Pure functions: what is said depends on nothing but what is given.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "proof/comparison.h"

namespace tusfs {

/// All that a verdict is made of.
struct VerifyResult {
  std::string source;  ///< absolute
  std::string target;  ///< the mount or the state directory, with the path in it
  std::string server;  ///< its URL without secrets; may be empty
  FileTime at = 0;     ///< when it was compared
  std::vector<ComparedFile> const& files;
  std::vector<std::string> const& junk;
  std::vector<std::string> doubts;  ///< sentences, of the comparison as a whole
};

[[nodiscard]] bool IsSafe(VerifyResult const& result);

/// "SAFE TO FORMAT: …" or "DO NOT FORMAT: …", without a line's end.
[[nodiscard]] std::string Sentence(VerifyResult const& result);

/// What is not on the server, a line each, then how many of each finding, what is said besides, and
/// the sentence.
[[nodiscard]] std::string ShowVerdict(VerifyResult const& result);

[[nodiscard]] nlohmann::json ToJson(VerifyResult const& result);

/// For those who keep paper: every file with its digests, its upload and its times.
[[nodiscard]] std::string ReceiptText(VerifyResult const& result);

}  // namespace tusfs
