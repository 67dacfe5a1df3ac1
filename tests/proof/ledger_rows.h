// Rows of a ledger, made and read.
#pragma once

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "base/fakes.h"
#include "proof/ledger_files.h"
#include "testing/files.h"

namespace tusfs {

inline Proof ProofOf(std::string path, Fate fate = Fate::kUploaded) {
  Proof proof;
  proof.id = Uuid::Random();
  proof.fate = fate;
  proof.proved = fate == Fate::kUploaded ? ProvedBy::kOffset : ProvedBy::kNothing;
  proof.path = std::move(path);
  proof.size = 5;
  proof.at = 1'700'000'000'000'000'000;
  return proof;
}

inline LedgerWriter::Row RowOf(std::string path) { return {ProofOf(std::move(path)), {}}; }

struct ReadLedger {
  std::vector<std::string> paths{};
  std::vector<LedgerDamage> damages{};
};

inline ReadLedger ReadAll(std::filesystem::path const& directory) {
  ReadLedger read;
  auto const visited = VisitLedger(
      directory,
      [&](LedgerRow const& row) {
        read.paths.push_back(row.proof.path);
        return true;
      },
      [&](LedgerDamage const& damage) { read.damages.push_back(damage); });
  EXPECT_TRUE(Ok(visited));
  return read;
}

}  // namespace tusfs
