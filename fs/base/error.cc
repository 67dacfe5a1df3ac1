#include "base/error.h"

#include <cerrno>
#include <cstring>
#include <system_error>

namespace tusfs {

Failure Fail(int code, std::string context) { return Failure(Error{code, std::move(context)}); }

Failure FailErrno(std::string_view what) {
  int const code = errno;
  return Fail(code, std::string(what) + ": " + std::generic_category().message(code));
}

std::string Describe(Error const& error) {
  return error.context.empty() ? std::generic_category().message(error.code) : error.context;
}

}  // namespace tusfs
