#include "options/check_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <sstream>
#include <utility>

#include "base/file.h"

namespace tusfs {
namespace {

constexpr char const* kUsualPath = "/usr/local/bin:/usr/bin:/bin";

/// Why `path` cannot be read.
std::optional<std::string> WhyNotReadable(std::string const& path) {
  // A pipe is not waited for.
  UniqueFd const fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) return std::strerror(errno);
  if (S_ISDIR(status.st_mode)) return std::strerror(EISDIR);
  return std::nullopt;
}

bool IsProgram(std::string const& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         ::access(path.c_str(), X_OK) == 0;
}

/// As exec finds it from the daemon, whose directory is another one.
bool CanBeRun(std::string const& program) {
  if (program.starts_with("/")) return IsProgram(program);
  if (program.find('/') != std::string::npos) return false;
  auto const* const path = std::getenv("PATH");
  std::istringstream directories(path == nullptr ? kUsualPath : path);
  for (std::string directory; std::getline(directories, directory, ':');) {
    if (IsProgram(directory + "/" + program)) return true;
  }
  return false;
}

}  // namespace

std::vector<Missing> WhatIsMissing(Options const& options) {
  std::vector<Missing> missing;
  for (auto const& [name, path] : {std::pair("token-file", options.token_file),
                                   {"basic-file", options.basic_file},
                                   {"header-file", options.header_file},
                                   {"netrc-file", options.netrc_file},
                                   {"ca-file", options.ca_file},
                                   {"client-cert", options.client_cert},
                                   {"client-key", options.client_key},
                                   {"page-token-file", options.page_token_file}}) {
    if (path.empty()) continue;
    if (auto const why = WhyNotReadable(path)) {
      missing.push_back({name, "is '" + path + "', which cannot be read: " + *why});
    }
  }
  for (auto const& [name, words] : {std::pair("token-command", options.token_command),
                                    {"finish-command", options.finish_command},
                                    {"create-command", options.create_command},
                                    {"on-uploaded", options.on_uploaded},
                                    {"on-stuck", options.on_stuck},
                                    {"on-server", options.on_server}}) {
    if (words.empty() || CanBeRun(words.front())) continue;
    missing.push_back({name, "is '" + words.front() +
                                 "', which is no program here: name one that PATH finds, or its "
                                 "absolute path"});
  }
  return missing;
}

}  // namespace tusfs
