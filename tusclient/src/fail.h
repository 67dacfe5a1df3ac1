// The short way to return an error.
#pragma once

#include <string>
#include <utility>

#include "tusclient/error.h"

namespace tus {

[[nodiscard]] inline Error MakeError(ErrorCode code, std::string message, int http_status = 0) {
  Error error;
  error.code = code;
  error.http_status = http_status;
  error.message = std::move(message);
  return error;
}

[[nodiscard]] inline tl::unexpected<Error> Fail(ErrorCode code, std::string message,
                                                int http_status = 0) {
  return tl::unexpected(MakeError(code, std::move(message), http_status));
}

}  // namespace tus
