// One upload from its creation to its completion: creates or resumes, sends, and never gives up
// before it is told to.
//
// An upload alternates between sending a chunk and asking the server where it is, as the protocol
// wants it. The next offset is always the server's word. Transient failures are retried with
// backoff, for as long as `give_up` allows; what cannot succeed by itself is returned as an error.
// With a UrlStore, another process goes on where this one was killed.
//
//     auto transport = tus::MakeCurlTransport({});
//     tus::Client client({.endpoint = "https://tus.example.org/files/"}, *transport);
//     auto file = tus::FileSource::Open("take-42.mov");
//     tus::FileUrlStore store("/var/lib/recorder/uploads");
//     tus::Upload upload(client, {.fingerprint = (*file)->Fingerprint(), .store = &store});
//     auto const receipt = upload.Send(**file, (*file)->size());
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "tusclient/client.h"
#include "tusclient/data_source.h"
#include "tusclient/error.h"
#include "tusclient/metadata.h"
#include "tusclient/retry_policy.h"
#include "tusclient/server_profile.h"
#include "tusclient/url_store.h"

namespace tus {

/// A completed upload.
struct Receipt {
  std::string url;         ///< a bearer secret
  std::uint64_t size = 0;  ///< bytes
  std::uint64_t sent = 0;  ///< bytes that went over the wire for it in this call
  bool resumed = false;    ///< an upload of an earlier process was gone on with
  /// Of the answer that completed it; both empty where that was lost and a HEAD said "complete".
  std::vector<Header> headers;
  std::string body;
};

struct UploadOptions {
  Metadata metadata{};
  /// A part of a later whole (Client::Concatenate, ParallelUpload): completing it publishes
  /// nothing.
  bool partial = false;
  /// The upload was made elsewhere, for these bytes: it is filled, never made anew, never deleted;
  /// metadata does not matter. It has to be empty, or `store` knows that it was begun with the same
  /// fingerprint: what somebody else has sent to it is never taken for these bytes. Empty: the
  /// upload is created here. A bearer secret.
  std::string upload_url{};
  /// Key in `store`: equal when, and only when, the bytes are. Empty: cannot be resumed by another
  /// process. For a GrowingSource any name will do, its bytes are compared.
  std::string fingerprint{};
  UrlStore* store = nullptr;         ///< outlives the upload
  ServerProfile* profile = nullptr;  ///< shared by the uploads to one endpoint; null: its own
  RetryPolicy retry{};
  /// Gives up when nothing has moved on for so long; nothing: never.
  std::optional<std::chrono::milliseconds> give_up{};
  /// Whether to try again after 401 and 403, because somebody renews the credentials; else they end
  /// the call.
  bool wait_for_credentials = false;
  bool checksums = true;  ///< where the server has them
  /// Largest upload in bytes that is sent with its creation, where the server can. When that
  /// answer is lost, the upload may be made twice.
  std::uint64_t creation_with_upload = 0;
  /// SHA-256 (raw bytes) of the whole upload where it is known; sent with the last bytes.
  std::string sha256{};
  /// A GrowingSource that pauses: bytes wait so long for a whole chunk.
  std::chrono::milliseconds patience{1000};
  /// An upload that the server does not know is believed to be gone after this long.
  std::chrono::milliseconds gone_after{10'000};

  // Called by the thread that sends.
  std::function<void(std::uint64_t)> on_sent{};       ///< bytes handed to the network, absolute
  std::function<void(std::uint64_t)> on_confirmed{};  ///< bytes the server has; may go backwards
  /// Something went wrong, and is tried again after the delay.
  std::function<void(Error const&, std::chrono::milliseconds)> on_retry{};
  /// The upload was made anew from its first byte, with the reason.
  std::function<void(std::string const&)> on_restart{};
  /// It is complete, and not yet forgotten in `store`: what is remembered of it here instead leaves
  /// no moment in which a killed program would know nothing of it.
  std::function<void(Receipt const&)> on_completed{};

  // Injected by tests.
  std::function<double()> random{};  ///< in [0, 1)
  std::function<std::chrono::steady_clock::time_point()> now{};
  /// Returns after the time or when stopped, whichever comes first.
  std::function<void(std::chrono::milliseconds, std::stop_token)> wait{};
};

class Upload {
 public:
  /// `client` outlives the upload, and is used by no other thread during Send.
  Upload(Client& client, UploadOptions options);

  /// Uploads bytes [0, length) of `source`, blocking. Errors, all of them final for this call:
  /// kCancelled, kSource and kUnauthorized (a later call goes on), kRefused, kTooLarge, kProtocol,
  /// kInvalidArgument, kUnconfirmed; after `give_up` whatever failed last.
  [[nodiscard]] Result<Receipt> Send(DataSource& source, std::uint64_t length,
                                     std::stop_token stop = {});

  /// Uploads `source` to its end, from a server that has creation-defer-length while it grows; any
  /// other server is kRefused. Errors as above, and kSource when the server has lost bytes that
  /// cannot be read again.
  [[nodiscard]] Result<Receipt> Send(GrowingSource& source, std::stop_token stop = {});

  /// Deletes the unfinished upload that `store` knows for the fingerprint, from the server and
  /// from the store. Retries as Send does. A complete upload, and none, are left alone.
  [[nodiscard]] Result<void> Abandon(std::stop_token stop = {});

 private:
  Client& client_;
  UploadOptions options_;
  ServerProfile own_profile_;
  ServerProfile& profile_;
};

}  // namespace tus
