// Asks a program of the user, for each upload, where and how it is made (--create-command):
// services whose own API makes the uploads, or signs them.
//
// The program gets one JSON object on its standard input, and prints one:
//
//   asked: path, name, type, mtime (seconds), size (bytes), id (the upload's uuid), metadata (an
//          object); upload_url, where there is an upload already and its headers were refused
//   answer: upload_url (the upload is made; absent: the mount makes it), headers (an object, for
//          each request about this upload), metadata (an object; null takes a key away). All may be
//          absent.
//
// URL and headers are secrets: they are neither on a command line nor in a log.
#pragma once

#include <tusclient/metadata.h>
#include <tusclient/preset.h>
#include <tusclient/transport.h>

#include <chrono>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/error.h"
#include "catalog/records.h"

namespace tusfs {

struct CreateCommandOptions {
  std::vector<std::string> argv{};  ///< empty: there is none
  std::chrono::milliseconds timeout{60'000};

  [[nodiscard]] bool IsSet() const { return !argv.empty(); }
};

struct CreateQuestion {
  tus::FileFacts facts;  ///< of a path that is UTF-8
  tus::Metadata metadata;
  std::string upload_url{};  ///< secret
};

struct CreateAnswer {
  std::optional<std::string> upload_url;  ///< absolute
  std::vector<tus::Header> headers;
  tus::Metadata metadata;  ///< the question's, with the program's changes
};

/// Runs it, for at most the timeout, on the calling thread. Errors: a sentence for a person,
/// without secrets; ECANCELED after `stop`.
[[nodiscard]] Result<CreateAnswer> AskCreateCommand(CreateCommandOptions const& options,
                                                    CreateQuestion const& question,
                                                    std::stop_token stop);

/// What the program was to be read as. Errors: as above.
[[nodiscard]] Result<CreateAnswer> ReadCreateAnswer(std::string const& text,
                                                    CreateQuestion const& question);

/// Upload::headers, and back.
[[nodiscard]] std::string TextOf(std::vector<tus::Header> const& headers);
[[nodiscard]] std::vector<tus::Header> HeadersOf(Upload const& upload);

}  // namespace tusfs
