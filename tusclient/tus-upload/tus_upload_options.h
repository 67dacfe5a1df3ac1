// The command line of tus-upload.
#pragma once

#include <tusclient/client.h>
#include <tusclient/credentials.h>
#include <tusclient/preset.h>
#include <tusclient/server_profile.h>
#include <tusclient/transport.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tus_upload {

struct Options {
  std::vector<std::string> files;  ///< one or more, or "-" alone for standard input
  bool recursive = false;          ///< folders among them are walked
  unsigned jobs = 1;               ///< files that go at once, 1 to 64
  unsigned parts = 1;              ///< of one file that go at once, 1 to 24
  std::string name;                ///< of standard input
  std::filesystem::path state_dir;
  std::optional<std::chrono::milliseconds> give_up;
  std::string upload_url;  ///< of an upload that was made elsewhere; secret
  bool abandon = false;
  bool checksums = true;
  bool sha256 = false;
  bool print_url = false;
  bool json = false;
  bool core_dumps = false;
  bool quiet = false;
  bool verbose = false;

  std::unique_ptr<tus::Credentials> credentials;  ///< client.credentials, or null
  std::string credentials_option;                 ///< that names them, as "--token-file"
  tus::ClientOptions client;                      ///< its endpoint is normalized
  tus::CurlTransportOptions transport;            ///< without a bandwidth limit
  std::uint64_t limit_rate = 0;                   ///< bytes per second; 0: no limit
  tus::ChunkRules chunks;
  std::vector<tus::MetadataTemplate> metadata;

  [[nodiscard]] bool FromStandardInput() const { return files.front() == "-"; }
};

/// What a command line leads to: options, or a text to print and the status to exit with.
struct Invocation {
  std::optional<Options> options;
  std::string output;
  int status = 0;
};

/// Never exits, never prints.
[[nodiscard]] Invocation ParseCommandLine(int argc, char const* const* argv);

}  // namespace tus_upload
