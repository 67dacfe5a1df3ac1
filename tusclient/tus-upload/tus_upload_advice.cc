#include "tus_upload_advice.h"

namespace tus_upload {
namespace {

std::string AboutCredentials(Options const& options) {
  if (options.credentials_option.empty()) {
    return "give credentials, with --token-file for example, and run the same command again";
  }
  return "renew the credentials of " + options.credentials_option +
         " and run the same command again";
}

std::string AboutRefusal(tus::Error const& error, Options const& options) {
  // Without a status the library itself refused: what it cannot do with this server.
  if (error.http_status == 0 && options.FromStandardInput()) {
    return "write it to a file and upload this";
  }
  if (!options.upload_url.empty()) return "ask whoever made that upload for another one";
  return "check the URL, and with the server's operator what it takes";
}

}  // namespace

std::string HowToGoOn(Options const& options) {
  if (options.FromStandardInput()) {
    return "run the same command again with the same input from its beginning, and what the server "
           "has is not sent again";
  }
  return "run the same command again, and it goes on where it was";
}

std::string Advice(tus::Error const& error, Options const& options) {
  switch (error.code) {
    case tus::ErrorCode::kUnreachable:
    case tus::ErrorCode::kInterrupted:
    case tus::ErrorCode::kNotTus:
    case tus::ErrorCode::kTransient:
    case tus::ErrorCode::kLocked:
    case tus::ErrorCode::kChecksumMismatch:
      return "gave up after the time of --give-up; check the URL and the server, then " +
             HowToGoOn(options);
    case tus::ErrorCode::kUnauthorized:
      return AboutCredentials(options);
    case tus::ErrorCode::kTooLarge:
      return error.http_status == 0
                 ? "only the server's operator can raise that limit"
                 : "try a smaller --chunk-size, or have the server's operator raise the limit";
    case tus::ErrorCode::kGone:
    case tus::ErrorCode::kRefused:
      return AboutRefusal(error, options);
    case tus::ErrorCode::kSource:
      return options.FromStandardInput()
                 ? "run the same command again with the whole input"
                 : "run the same command again when it can be read and nobody writes to it";
    case tus::ErrorCode::kUnconfirmed:
      return "look for it on the server; where it is missing, run this command with --abandon, and "
             "then again without";
    case tus::ErrorCode::kProtocol:
      return "the server is faulty: tell its operator, and run the same command again";
    case tus::ErrorCode::kInvalidArgument:
      return "put that right and run the same command again, or begin anew after --abandon";
    case tus::ErrorCode::kCancelled:
      break;
  }
  return HowToGoOn(options);
}

}  // namespace tus_upload
