// What tusfs was asked to do. Each member but the first ones is a setting: settings.cc has its
// name, what it takes, and its help.
#pragma once

#include <tusclient/preset.h>
#include <tusclient/transport.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/logger.h"
#include "filesystem/failure_table.h"
#include "uploader/link_options.h"
#include "uploader/path_rules.h"
#include "uploader/publish_rules.h"
#include "uploader/verification.h"

namespace tusfs {

struct Options {
  std::string url;     ///< may have a secret in it, see tus::RedactUrl
  std::string source;  ///< the word that stands for a URL from a file, or empty
  std::string mountpoint;
  std::vector<std::string> kernel;  ///< mount options that the kernel itself understands

  std::string url_file;         ///< where the URL was read from, or empty
  std::string state_dir;        ///< empty: the default for the mount point
  bool volatile_state = false;  ///< it may be in memory
  std::chrono::milliseconds settle{2000};
  std::chrono::milliseconds settle_limit{900'000};
  std::chrono::seconds adopt_timeout{86'400};

  // Publishing (publish_settings.h).
  std::vector<std::string> ignore = DefaultIgnored();  ///< patterns
  std::vector<std::string> temporary;                  ///< patterns
  bool publish_unknown = false;
  bool publish_interrupted = false;
  std::vector<FinishRule> finish;
  std::vector<std::string> finish_command;  ///< its words
  std::vector<CheckRule> check;
  std::vector<std::string> copiers = {"cp", "mv", "install"};
  std::vector<std::string> failures = UsualFailures();  ///< PROGRAM=CODES
  std::vector<PathRule> rules;  ///< no setting, but of the file alone (rule_keys.h)

  // Local disk (space_settings.h).
  std::optional<std::uint64_t> spool_size;  ///< bytes; nothing: what the disk has
  std::optional<std::uint64_t> reserve;     ///< bytes; nothing: by the disk's size
  std::optional<std::uint64_t> keep;        ///< bytes of uploaded files; nothing: all
  bool trim = false;                        ///< what is confirmed, of unfinished files
  bool drop_interrupted = false;            ///< when a writer would else fail
  std::chrono::seconds full_timeout{3'600};
  bool read_back = false;
  std::chrono::seconds retention{0};  ///< 0: for ever

  // The ledger (fs/proof).
  bool sha256 = true;                   ///< of each file, as it goes out
  std::chrono::seconds ledger_keep{0};  ///< 0: for ever

  // Uploads (upload_settings.h). Where a preset is given, the rules are its own unless they are set
  // here.
  std::optional<std::uint64_t> chunk_size;      ///< bytes, a multiple of 256 KiB
  std::optional<std::uint64_t> chunk_multiple;  ///< bytes
  bool exact_chunks = false;
  int transfers = 4;
  std::uint64_t limit_rate = 0;  ///< bytes per second; 0: no limit
  std::string preset;
  std::vector<tus::MetadataTemplate> metadata;  ///< an empty value leaves the key out
  bool checksums = true;                        ///< where the server has them
  Verification verify = Verification::kOff;
  std::uint64_t parts = 0;    ///< bytes of the first part of a file, a multiple of 4 MiB; 0: in one
  bool delete_parts = false;  ///< when they are joined

  // Credentials: at most one source. Paths are absolute.
  std::string token_file;
  std::string basic_file;
  std::string header_file;
  std::vector<std::string> token_command;  ///< its words
  std::string netrc_file;
  std::vector<std::string> trust_origin;

  // The way to the server.
  std::string ca_file;
  std::string client_cert;
  std::string client_key;
  std::string interface;
  std::vector<LinkOptions> links;      ///< none: as the machine routes
  std::chrono::seconds patience{600};  ///< for a cheaper link
  tus::CurlTransportOptions::Ip ip_version = tus::CurlTransportOptions::Ip::kAny;
  bool http2 = false;
  bool method_override = false;
  bool lenient = false;
  bool retry_refused = false;
  std::chrono::seconds give_up{0};          ///< 0: never
  std::vector<std::string> create_command;  ///< its words

  // Hooks (hook_settings.h): the words of each program.
  std::vector<std::string> on_uploaded;
  std::vector<std::string> on_stuck;
  std::vector<std::string> on_server;
  std::chrono::seconds server_away{600};
  std::chrono::seconds hook_timeout{60};

  std::chrono::seconds heartbeat{0};  ///< 0: none are sent
  std::string heartbeat_url;          ///< normalised; empty: that of the mount

  std::string control_group;    ///< whose members may ask how the mount is; or empty
  std::string metrics;          ///< as ParseListenAddress takes it, or empty
  std::string page;             ///< likewise
  std::string page_token_file;  ///< absolute; empty: a token is made
  bool page_actions = false;
  LogLevel log_level = LogLevel::kInfo;
  bool core_dumps = false;
  bool foreground = false;
  bool nonempty = false;
  bool make_mountpoint = false;
  bool import_beneath = false;
  bool allow_other = false;
};

}  // namespace tusfs
