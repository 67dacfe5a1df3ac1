// Where the headers come from that prove who is asking.
//
// Secrets come from files, from a program or from systemd, never from a command line, and are read
// again when they change. A Client sends them to its endpoint's origin and to origins that were
// named explicitly, never over a downgrade to http. No error message repeats one.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "tusclient/error.h"
#include "tusclient/transport.h"

namespace tus {

/// Shared by all clients of a program: implementations are thread-safe.
class Credentials {
 public:
  virtual ~Credentials() = default;

  /// The headers to send now; reads again what has changed since the last call. Errors:
  /// kUnauthorized with a sentence that names the file or program; kCancelled.
  [[nodiscard]] virtual Result<std::vector<Header>> Headers(std::stop_token stop) = 0;

  /// The server answered 401 or 403 to `refused`. The next Headers() reads everything anew, unless
  /// what is known by now is something else than `refused` already.
  virtual void Refused(std::vector<Header> const& refused) = 0;

  /// A file in the form of netrc(5) that the transport takes user and password from, or empty.
  [[nodiscard]] virtual std::filesystem::path NetrcFile() const { return {}; }
};

/// `Authorization: Bearer …` with the first line of `file`.
[[nodiscard]] std::unique_ptr<Credentials> BearerFromFile(std::filesystem::path file);

/// `Authorization: Basic …` with the first line of `file`, which is user:password.
[[nodiscard]] std::unique_ptr<Credentials> BasicFromFile(std::filesystem::path file);

/// The lines of `file` as headers, each "Name: value"; for services with headers of their own.
/// Empty lines and lines that begin with # are left out.
[[nodiscard]] std::unique_ptr<Credentials> HeadersFromFile(std::filesystem::path file);

/// `Authorization: Bearer …` with the first line that `argv` prints. It is run without a shell,
/// with nothing on its input, when there is no token yet and after one was refused; it and its
/// children are killed when they have not ended after `timeout`. argv[0] is looked up in $PATH.
[[nodiscard]] std::unique_ptr<Credentials> BearerFromCommand(std::vector<std::string> argv,
                                                             std::chrono::seconds timeout);

/// User and password from a netrc(5) file, by the host of the request. The transport reads it.
[[nodiscard]] std::unique_ptr<Credentials> FromNetrc(std::filesystem::path file);

/// A name without a slash means the file of that name in $CREDENTIALS_DIRECTORY (systemd's
/// LoadCredential=), where that is set and has one; anything else is the path that it is.
[[nodiscard]] std::filesystem::path CredentialFile(std::string const& name);

}  // namespace tus
