// How tusfs reports failure inside itself: as an errno with the sentence that explains it.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace tusfs {

/// What a system call would answer, and what an operator should read.
struct Error {
  int code = 0;         ///< an errno, never 0
  std::string context;  ///< a sentence or phrase for a person; may be empty for plain answers
};

template <typename T>
using Result = tl::expected<T, Error>;

using Failure = tl::unexpected<Error>;

/// A failure with `code` and a context.
[[nodiscard]] Failure Fail(int code, std::string context = {});

/// A failure from the calling thread's errno: "<what>: <strerror>". Call it first after the call
/// that failed.
[[nodiscard]] Failure FailErrno(std::string_view what);

/// "<context>", or the errno's text where there is none.
[[nodiscard]] std::string Describe(Error const& error);

}  // namespace tusfs
