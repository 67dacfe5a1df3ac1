// What an answer means: the one place where HTTP statuses become error codes.
//
// All tus servers send Tus-Resumable on every answer, errors included. An answer without it came
// from something that stands before the server, and says nothing about an upload.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "secrets.h"
#include "tusclient/error.h"
#include "tusclient/transport.h"

namespace tus {

/// What was asked, as far as the answer's meaning depends on it.
struct Question {
  std::string_view method;
  std::string origin;         ///< who answered, for messages
  bool about_upload = false;  ///< else about the endpoint, where 404 means that it is wrong
  bool lenient = false;       ///< whoever answers is a tus server, unless it shows a page
  Secrets secrets;            ///< cut out of the server's words
};

/// Nothing when the answer is a tus server's 2xx, or anybody's 200 or 206 to a GET of an upload,
/// for which tus has no rule; else what to do about it.
[[nodiscard]] std::optional<Error> Classify(HttpResponse const& response, Question const& question);

}  // namespace tus
