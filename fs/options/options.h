// What tusfs was asked to do: command line, -o, and a TOML file, in which an option has one name.
#pragma once

#include <tusclient/preset.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "uploader/publish_rules.h"

namespace tusfs {

struct Options {
  std::string url;       ///< may have a secret in it, see tus::RedactUrl
  std::string url_file;  ///< where it was read from, or empty
  std::string source;    ///< the word that stands for a URL from a file, or empty
  std::string mountpoint;
  std::string state_dir;  ///< empty: the default for the mount point
  std::chrono::milliseconds settle{2000};
  std::chrono::milliseconds settle_limit{900'000};
  std::chrono::seconds adopt_timeout{86'400};

  // Publishing (publish_settings.h).
  std::vector<std::string> ignore = DefaultIgnored();  ///< patterns
  std::vector<std::string> temporary;                  ///< patterns
  std::string unknown = "hold";                        ///< or "publish"
  std::string interrupted = "hold";                    ///< or "publish"
  std::vector<std::string> finish;                     ///< GLOB=WHEN
  std::string finish_command;                          ///< words, split at blanks
  std::vector<std::string> copiers = {"cp", "mv", "install"};

  // Local disk (space_settings.h).
  std::optional<std::uint64_t> spool_size;  ///< bytes; nothing: what the disk has
  std::optional<std::uint64_t> reserve;     ///< bytes; nothing: by the disk's size
  std::optional<std::uint64_t> keep;        ///< bytes of uploaded files; nothing: all
  bool trim = false;                        ///< what is confirmed, of unfinished files
  bool drop_interrupted = false;            ///< when a writer would else fail
  std::chrono::seconds full_timeout{3'600};
  bool read_back = false;
  std::chrono::seconds retention{0};

  // Uploads. Where a preset is given, the rules are its own unless they are set here.
  std::optional<std::uint64_t> chunk_size;      ///< bytes, a multiple of 256 KiB
  std::optional<std::uint64_t> chunk_multiple;  ///< bytes
  bool exact_chunks = false;
  int transfers = 4;
  std::optional<std::uint64_t> limit_rate;  ///< bytes per second; 0: no limit
  std::string preset;
  std::vector<tus::MetadataTemplate> metadata;  ///< an empty value leaves the key out
  std::string checksum = "auto";                ///< or "off"
  std::string verify = "off";                   ///< or "head", "download"

  // Credentials: at most one source. Paths are absolute.
  std::string token_file;
  std::string basic_file;
  std::string header_file;
  std::string token_command;  ///< words, split at blanks
  std::string netrc_file;
  std::vector<std::string> trust_origin;

  // The way to the server.
  std::string ca_file;
  std::string client_cert;
  std::string client_key;
  std::string interface;
  std::string ip_version = "any";  ///< or "4", "6"
  bool http2 = false;
  bool method_override = false;
  bool lenient = false;
  bool retry_refused = false;
  std::chrono::seconds give_up{0};  ///< 0: never
  std::string create_command;       ///< words, split at blanks

  std::string log_level = "info";
  bool core_dumps = false;
  bool foreground = false;
  bool nonempty = false;
  bool allow_other = false;
  std::vector<std::string> kernel;  ///< mount options that the kernel itself understands
};

/// What a command line leads to: options, or a text to print and the status to exit with.
struct Invocation {
  std::optional<Options> options;
  bool remount = false;                    ///< -o remount: a change of the mount that there is
  std::vector<std::string> given_after_o;  ///< names of settings, as they were spelt
  std::string output;
  int status = 0;
};

/// Parses the command line; reads the TOML file that it names. The command line wins over -o, and
/// -o over the file. Never exits, never prints.
[[nodiscard]] Invocation ParseCommandLine(int argc, char const* const* argv);

/// Arguments that ParseCommandLine makes the same options of, without -o and without a file.
[[nodiscard]] std::vector<std::string> CommandLineOf(Options const& options);

/// Bytes of "32MiB", "1GiB", "64KiB", "1000". Errors: EINVAL with a sentence.
[[nodiscard]] Result<std::uint64_t> ParseSize(std::string const& text);

}  // namespace tusfs
