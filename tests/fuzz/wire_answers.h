// Answers as a server sends them, read as the transport would read them.
//
// A text has them as they come over the wire, with a line "~" between two of them. One whose head
// does not end is a connection that broke.
#pragma once

#include <string_view>
#include <vector>

#include "tusclient/error.h"
#include "tusclient/transport.h"

namespace tus::fuzz {

/// One answer at least, and a dozen at most.
std::vector<Result<HttpResponse>> AnswersOf(std::string_view text);

}  // namespace tus::fuzz
