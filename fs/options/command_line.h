// The command line, with -o and the file that it names: in all three an option has one name.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "options/given.h"
#include "options/options.h"

namespace tusfs {

/// What a command line leads to: options, or a text to print and the status to exit with.
struct Invocation {
  std::optional<Options> options;
  Given given;                             ///< where the options are from
  bool check = false;                      ///< --check-config: tell them, and mount nothing
  std::string move_to;                     ///< --move-to: the new URL; mount nothing
  bool dry_run = false;                    ///< of that: change nothing
  bool remount = false;                    ///< -o remount: a change of the mount that there is
  std::vector<std::string> given_after_o;  ///< names of settings, as they were spelt
  std::string output;
  int status = 0;
};

/// Parses the command line; reads the TOML file that it names. The command line wins over -o, and
/// -o over the file. All that is wrong with the values is in `output`, a line for each. Never
/// exits, never prints.
[[nodiscard]] Invocation ParseCommandLine(int argc, char const* const* argv);

/// Arguments that ParseCommandLine makes the same options of, without -o and without a file.
[[nodiscard]] std::vector<std::string> CommandLineOf(Options const& options);

}  // namespace tusfs
