#include "tusclient/error.h"

namespace tus {

std::string_view Name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kCancelled:
      return "cancelled";
    case ErrorCode::kInvalidArgument:
      return "invalid-argument";
    case ErrorCode::kSource:
      return "source";
    case ErrorCode::kUnreachable:
      return "unreachable";
    case ErrorCode::kInterrupted:
      return "interrupted";
    case ErrorCode::kNotTus:
      return "not-tus";
    case ErrorCode::kUnauthorized:
      return "unauthorized";
    case ErrorCode::kGone:
      return "gone";
    case ErrorCode::kTransient:
      return "transient";
    case ErrorCode::kLocked:
      return "locked";
    case ErrorCode::kTooLarge:
      return "too-large";
    case ErrorCode::kChecksumMismatch:
      return "checksum-mismatch";
    case ErrorCode::kRefused:
      return "refused";
    case ErrorCode::kUnconfirmed:
      return "unconfirmed";
    case ErrorCode::kProtocol:
      return "protocol";
  }
  return "unknown";
}

}  // namespace tus
