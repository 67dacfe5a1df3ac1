// One file over several connections: its parts are uploads of their own, sent at the same time, and
// joined at the end (tus: concatenation).
//
// On a long line one connection carries no more than what may be on its way at once; several carry
// several times that. The joined upload gets the metadata, and nothing is published before it is
// made. Where the server does not join (@tus/server), or one part is all there is, the file goes
// over one connection, as Upload sends it.
//
//     std::vector<tus::Client*> clients;  // each with a transport of its own
//     tus::ParallelUpload upload(clients, {.upload = {.fingerprint = file.Fingerprint(),
//                                                     .store = &store}});
//     auto const receipt = upload.Send(file, file.size());
//
// Of the source nothing is kept in memory but what each connection is sending. A call that was
// killed is gone on with by the next one with as many clients and the same `part_size`: each part
// where it was. Parts that an abandoned call with others has left expire on the server.
#pragma once

#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "tusclient/upload.h"

namespace tus {

struct ParallelOptions {
  /// Of the whole. The callbacks are called by several threads, one at a time, and count all parts
  /// together; what tests inject, and `store`, are used by several threads at once. Its `sha256` is
  /// not sent (the joining request has no body; metadata can carry it), and `upload_url` has to be
  /// empty.
  UploadOptions upload{};
  /// Bytes of each part but the last. 0: as many parts as there are clients. Made larger where the
  /// names of so many parts would not fit into one request.
  std::uint64_t part_size = 0;
  /// Deletes the parts once they are joined. For servers that copy their bytes, as tusd does; not
  /// for those that only refer to them.
  bool deletes_parts = false;
};

class ParallelUpload {
 public:
  /// More are never joined: their paths have to fit into a header of 4 KiB.
  static constexpr std::size_t kMostParts = 24;
  /// A smaller part is not worth its requests.
  static constexpr std::uint64_t kLeastPart = std::uint64_t{1} << 20;

  /// `clients` say how many parts are sent at once, 1 to 64; they outlive the upload and are used
  /// by no other thread during a call. All have the same endpoint.
  ParallelUpload(std::vector<Client*> clients, ParallelOptions options);

  /// Uploads bytes [0, length) of `source`, blocking; `source` is read by several threads. Errors
  /// as Upload::Send. kUnconfirmed also when the answer to the joining request was lost, now or in
  /// an earlier call: it is never sent twice.
  [[nodiscard]] Result<Receipt> Send(DataSource& source, std::uint64_t length,
                                     std::stop_token stop = {});

  /// Deletes the parts that `store` knows of an upload of `length` bytes, from the server and from
  /// the store, and forgets whether they were joined. A joined upload is left alone. Returns
  /// whether there was anything.
  [[nodiscard]] Result<bool> Abandon(std::uint64_t length, std::stop_token stop = {});

 private:
  std::vector<Client*> clients_;
  ParallelOptions options_;
  ServerProfile own_profile_;
};

}  // namespace tus
