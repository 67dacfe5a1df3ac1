// The table of programs that these tests print, also into the file $TUSFS_PROGRAM_TABLE.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace tusfs_testing {

inline void AddToProgramTable(std::string const& program, std::string const& outcome, int published,
                              std::uint64_t sent, std::uint64_t size) {
  char ratio[32] = "-";
  if (size > 0) {
    std::snprintf(ratio, sizeof ratio, "%.2f",
                  static_cast<double>(sent) / static_cast<double>(size));
  }
  char row[240];
  std::snprintf(row, sizeof row, "%-52s | %-44s | %3d | %s\n", program.c_str(), outcome.c_str(),
                published, ratio);
  std::fputs(row, stdout);
  char const* const path = std::getenv("TUSFS_PROGRAM_TABLE");
  if (path == nullptr) return;
  if (std::FILE* const table = std::fopen(path, "a")) {
    std::fputs(row, table);
    std::fclose(table);
  }
}

}  // namespace tusfs_testing
