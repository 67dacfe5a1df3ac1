// The table of kill moments that the kill tests print, also into the file $TUSFS_KILL_TABLE.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

namespace tusfs_testing {

inline void AddToKillTable(std::string const& server, std::string const& moment, std::uint64_t size,
                           std::uint64_t sent, bool equal, std::string const& state) {
  char row[160];
  std::snprintf(row, sizeof row, "%-8s %-36s size %9llu  sent %9llu  SHA-256 %-5s  %s\n",
                server.c_str(), moment.c_str(), static_cast<unsigned long long>(size),
                static_cast<unsigned long long>(sent), equal ? "equal" : "OTHER", state.c_str());
  std::fputs(row, stdout);
  char const* const path = std::getenv("TUSFS_KILL_TABLE");
  if (path == nullptr) return;
  if (std::FILE* const table = std::fopen(path, "a")) {
    std::fputs(row, table);
    std::fclose(table);
  }
}

}  // namespace tusfs_testing
