// The tus 1.0 protocol, one method per verb.
//
// A Client is stateless but for its options: each call is one blocking, cancellable request on the
// transport, classified once (error.h). It never retries. It belongs to one thread at a time, as
// its transport does.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "tusclient/data_source.h"
#include "tusclient/error.h"
#include "tusclient/metadata.h"
#include "tusclient/transport.h"

namespace tus {

/// What OPTIONS announced. A hint: servers announce what they lack and do what they do not
/// announce.
struct ServerInfo {
  bool creation = false;
  bool creation_with_upload = false;
  bool creation_defer_length = false;
  bool termination = false;
  bool concatenation = false;
  bool expiration = false;
  std::vector<std::string> checksum_algorithms;
  std::optional<std::uint64_t> max_size;  ///< Tus-Max-Size, bytes
};

struct CreateRequest {
  /// Bytes of the whole upload; nothing means Upload-Defer-Length: 1.
  std::optional<std::uint64_t> length;
  Metadata metadata;
  std::stop_token stop;
};

struct Created {
  std::string url;           ///< absolute; a bearer secret
  std::uint64_t offset = 0;  ///< 0 unless the server said otherwise
  std::optional<std::string> expires;
};

struct UploadStatus {
  std::uint64_t offset = 0;             ///< bytes that the server has
  std::optional<std::uint64_t> length;  ///< nothing while the length is deferred

  [[nodiscard]] bool Complete() const { return length && offset == *length; }
};

struct PatchRequest {
  std::string url;
  std::uint64_t offset = 0;  ///< first byte of `source` to send, and the Upload-Offset
  std::uint64_t length = 0;  ///< bytes to send; 0 is allowed, to declare a length alone
  /// Declares the length of the whole upload (creation-defer-length), exactly once.
  std::optional<std::uint64_t> declare_length;
  DataSource* source = nullptr;
  std::function<void(std::uint64_t)> on_sent;  ///< see HttpRequest::on_sent
  std::stop_token stop;
};

struct Patched {
  std::uint64_t offset = 0;  ///< the server's word: request offset ≤ offset ≤ offset + length
  std::vector<Header> headers;
  std::string body;
};

struct ClientOptions {
  std::string endpoint;         ///< http or https URL that creates uploads
  std::vector<Header> headers;  ///< sent with each request to the endpoint's own origin only
};

class Client {
 public:
  /// `transport` outlives the client.
  Client(ClientOptions options, HttpTransport& transport);

  /// Errors beyond the classification: kNotTus when the answer names no tus version.
  [[nodiscard]] Result<ServerInfo> Options(std::stop_token stop = {});

  /// Creates an upload (tus: creation). 201 with a usable Location or an error. Not idempotent: a
  /// lost answer leaves an upload behind on the server.
  [[nodiscard]] Result<Created> Create(CreateRequest const& request);

  /// Asks how many bytes the server has. Never call it while a PATCH of that upload is open:
  /// servers cut the PATCH.
  [[nodiscard]] Result<UploadStatus> Head(std::string const& url, std::stop_token stop = {});

  /// Sends bytes. An offset in the answer that was never sent or was confirmed before is kProtocol.
  [[nodiscard]] Result<Patched> Patch(PatchRequest const& request);

  /// Deletes an upload (tus: termination). An upload that is gone already is success.
  [[nodiscard]] Result<void> Terminate(std::string const& url, std::stop_token stop = {});

 private:
  ClientOptions options_;
  HttpTransport& transport_;

  /// Performs `request` through redirects; afterwards request.url is the one that answered.
  Result<HttpResponse> Exchange(HttpRequest& request, bool about_upload);
  Result<HttpRequest> UploadRequest(std::string method, std::string const& url,
                                    std::stop_token stop) const;
};

/// Checks that `text` is an absolute http or https URL with a host and returns it in the form that
/// libcurl's URL parser gives it. Errors: kInvalidArgument with a sentence.
[[nodiscard]] Result<std::string> NormalizeEndpoint(std::string const& text);

}  // namespace tus
