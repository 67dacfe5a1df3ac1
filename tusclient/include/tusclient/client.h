// The tus 1.0 protocol, one method per verb.
//
// A Client is stateless but for its options: each call is one blocking, cancellable request on the
// transport, classified once (error.h). It never retries, but for a request whose credentials were
// refused (401, 403) while newer ones were there. It belongs to one thread at a time, as its
// transport does. Upload (upload.h) does the rest: it goes on until all bytes have arrived.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "tusclient/checksum.h"
#include "tusclient/credentials.h"
#include "tusclient/data_source.h"
#include "tusclient/error.h"
#include "tusclient/metadata.h"
#include "tusclient/transport.h"

namespace tus {

class Secrets;

/// What OPTIONS announced. A hint: servers announce what they lack and do what they do not
/// announce.
struct ServerInfo {
  bool creation = false;
  bool creation_with_upload = false;
  bool creation_defer_length = false;
  bool termination = false;
  bool concatenation = false;
  bool expiration = false;
  std::vector<std::string> checksum_algorithms{};
  std::optional<std::uint64_t> max_size{};  ///< Tus-Max-Size, bytes
};

/// When the server deletes an upload that is not complete (Upload-Expires, tus: expiration).
using Expiry = std::optional<std::chrono::system_clock::time_point>;

struct CreateRequest {
  /// Bytes of the whole upload; nothing means Upload-Defer-Length: 1.
  std::optional<std::uint64_t> length{};
  Metadata metadata{};
  /// Part of a final upload (tus: concatenation), see Client::Concatenate.
  bool partial = false;
  /// Sent as Idempotency-Key: the same for every try to create this upload, of no other. Servers
  /// that know it do not create two; the others do not mind.
  std::string idempotency_key{};
  /// Of this creation alone, as a signature that a service wants; they may be secrets, and go to
  /// the endpoint's own origin only.
  std::vector<Header> headers{};
  /// Bytes [0, body_length) of `source` go along (tus: creation-with-upload). When the answer is
  /// lost, so is the URL: for small uploads only.
  DataSource* source = nullptr;
  std::uint64_t body_length = 0;
  std::function<void(std::uint64_t)> on_sent{};  ///< see HttpRequest::on_sent
  std::stop_token stop{};
};

struct ConcatenateRequest {
  std::vector<std::string> urls{};  ///< of complete partial uploads, in order
  Metadata metadata{};
  std::string idempotency_key{};
  std::stop_token stop{};
};

struct Created {
  std::string url{};         ///< absolute; a bearer secret
  std::uint64_t offset = 0;  ///< bytes that the server took: 0 to the request's body_length
  Expiry expires{};
  std::vector<Header> headers{};  ///< of the answer
  std::string body{};
};

struct UploadStatus {
  std::uint64_t offset = 0;               ///< bytes that the server has
  std::optional<std::uint64_t> length{};  ///< nothing while the length is deferred
  enum class Concat { kNone, kPartial, kFinal };
  Concat concat = Concat::kNone;
  Expiry expires{};

  [[nodiscard]] bool Complete() const { return length && offset == *length; }
};

struct PatchRequest {
  std::string url{};
  std::vector<Header> headers{};  ///< see Client::Head
  std::uint64_t offset = 0;       ///< first byte of `source` to send, and the Upload-Offset
  std::uint64_t length = 0;       ///< bytes to send; 0 is allowed, to declare a length alone
  /// Declares the length of the whole upload (creation-defer-length), exactly once.
  std::optional<std::uint64_t> declare_length{};
  DataSource* source = nullptr;
  /// Sends Upload-Checksum with the body's digest (tus: checksum); reads the bytes once more.
  std::optional<ChecksumAlgorithm> checksum{};
  /// SHA-256 (32 raw bytes) of the whole upload, sent as Repr-Digest (RFC 9530); or empty.
  std::string sha256{};
  std::function<void(std::uint64_t)> on_sent{};  ///< see HttpRequest::on_sent
  std::stop_token stop{};
};

struct Patched {
  std::uint64_t offset = 0;  ///< the server's word: request offset ≤ offset ≤ offset + length
  Expiry expires{};
  std::vector<Header> headers{};
  std::string body{};
};

struct DownloadRequest {
  std::string url{};
  std::vector<Header> headers{};  ///< see Client::Head
  std::uint64_t offset = 0;       ///< first byte that is wanted
  std::uint64_t length = 0;       ///< bytes of the whole upload; what is wanted ends there
  /// Gets the bytes in order, each once: where they begin in the upload, and some of them. May
  /// block, and has to look at `stop` itself while it does. False ends the download.
  std::function<bool(std::uint64_t offset, std::span<std::byte const> bytes)> sink{};
  std::stop_token stop{};
};

struct ClientOptions {
  std::string endpoint{};              ///< http or https URL that creates uploads
  std::vector<Header> headers{};       ///< sent with each request to the trusted origins only
  Credentials* credentials = nullptr;  ///< likewise, and win; outlives the client, may be shared
  /// Origins that are trusted beside the endpoint's own, as "https://uploads.example.org". An http
  /// one is trusted only when the endpoint is http.
  std::vector<std::string> trusted_origins{};
  /// Sends PATCH and DELETE as POST with X-HTTP-Method-Override, for proxies that know neither.
  bool method_override = false;
  /// Takes every answer but an HTML page for a tus server's, for servers that leave Tus-Resumable
  /// out. Then nothing tells what stands before the server from the server itself.
  bool lenient = false;
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

  /// Joins complete partial uploads to a final one, in order. URLs are sent as short as the server
  /// understands them, in at most 4 KiB; more is kInvalidArgument. A server that copies bytes may
  /// take minutes to answer. Not idempotent, as Create.
  [[nodiscard]] Result<Created> Concatenate(ConcatenateRequest const& request);

  /// Asks how many bytes the server has. Never call it while a PATCH of that upload is open:
  /// servers cut the PATCH. `headers` are this upload's own; they may be secrets, and go to the
  /// origin of `url` only.
  [[nodiscard]] Result<UploadStatus> Head(std::string const& url, std::stop_token stop = {},
                                          std::vector<Header> const& headers = {});

  /// Sends bytes. An offset in the answer that was never sent or was confirmed before is kProtocol.
  [[nodiscard]] Result<Patched> Patch(PatchRequest const& request);

  /// Reads the bytes [offset, length) of a complete upload with GET, of which tus 1.0 says nothing:
  /// tusd and rustus give them, and from `offset` on when they are asked to (Range); @tus/server
  /// gives all of the upload each time, and what is before `offset` is thrown away here; many
  /// hosted services give nothing, or have another URL for it. Whoever answers need not say that it
  /// is a tus server. Success: the sink got all of them. Errors beyond the classification:
  /// kInterrupted when fewer came, kCancelled when the sink had enough, kProtocol for an answer
  /// that is not this upload's bytes (kNotTus where no tus server gave it).
  [[nodiscard]] Result<void> Download(DownloadRequest const& request);

  /// Deletes an upload (tus: termination). An upload that is gone already is success.
  /// `headers`: see Head.
  [[nodiscard]] Result<void> Terminate(std::string const& url, std::stop_token stop = {},
                                       std::vector<Header> const& headers = {});

 private:
  ClientOptions options_;
  HttpTransport& transport_;

  struct Asking;
  /// Performs `request` through redirects; afterwards request.url is the one that answered.
  Result<HttpResponse> Exchange(HttpRequest& request, Asking asking);
  Result<HttpResponse> ExchangeOnce(HttpRequest& request, Asking& asking,
                                    std::vector<Header> const& credentials);
  Result<HttpRequest> UploadRequest(std::string method, std::string const& url,
                                    std::stop_token stop) const;
  Result<HttpRequest> CreationRequest(Metadata const& metadata, std::string const& idempotency_key,
                                      std::stop_token stop) const;
  Result<Created> TakeCreated(HttpRequest const& request, HttpResponse response,
                              std::uint64_t most) const;
};

/// Checks that `text` is an absolute http or https URL with a host and returns it in the form that
/// libcurl's URL parser gives it. Errors: kInvalidArgument with a sentence.
[[nodiscard]] Result<std::string> NormalizeEndpoint(std::string const& text);

}  // namespace tus
