// tusfsctl report: what became of files, from the ledger.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "base/clock.h"
#include "catalog/proof_record.h"

namespace tusfs {

struct ReportOptions {
  enum class Format { kTable, kCsv, kJson };

  std::string path{};
  std::string state_dir{};  ///< empty: of a mount
  std::optional<FileTime> since{};
  std::optional<FileTime> until{};
  std::set<Fate> states{};  ///< empty: all
  /// Only files that the server does not have, by the last that became of each, and those that are
  /// not there yet.
  bool missing = false;
  bool totals = false;  ///< nothing else
  Format format = Format::kTable;
};

/// The exit status: kDone; kStuck where `missing` has found some, kNoAnswer with a sentence.
[[nodiscard]] int ReportFiles(ReportOptions const& options);

/// A field of CSV (RFC 4180), in quotes where it needs them.
[[nodiscard]] std::string CsvField(std::string const& text);

}  // namespace tusfs
