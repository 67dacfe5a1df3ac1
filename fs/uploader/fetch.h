// Downloads of uploaded files, block by block: what reading them (read_back_stream.h) and bringing
// them back (restoration.h) have in common.
//
// A block (base/block_digest.h) counts as arrived once it is what the catalog says was sent. The
// objects here belong to one download thread; nothing is durable.
#pragma once

#include <tusclient/client.h>
#include <tusclient/retry_policy.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <stop_token>
#include <string>

#include "base/block_digest.h"
#include "base/clock.h"
#include "base/error.h"
#include "catalog/records.h"
#include "catalog/store.h"

namespace tusfs {

/// An uploaded file whose bytes are not here.
struct Remote {
  InodeId inode = 0;
  Uuid upload{};
  std::string url{};                   ///< secret
  std::vector<tus::Header> headers{};  ///< of this upload, secret
  std::uint64_t size = 0;

  [[nodiscard]] std::uint64_t blocks() const { return (size + kDigestBlock - 1) / kDigestBlock; }
  [[nodiscard]] std::uint64_t BlockSize(std::uint64_t block) const {
    return std::min(kDigestBlock, size - block * kDigestBlock);
  }
};

/// Errors: ESTALE where its bytes are here, or it is not uploaded; EIO where it has no upload.
[[nodiscard]] Result<Remote> FindRemote(View const& view, InodeId inode);

/// Takes blocks in order.
class BlockSink {
 public:
  virtual ~BlockSink() = default;

  /// Before the first byte of each block. May block; false ends the download.
  [[nodiscard]] virtual bool Wants(std::uint64_t block) = 0;
  /// Bytes of that block, in order, not yet known to be right. Errors end the download.
  [[nodiscard]] virtual Result<void> Write(std::uint64_t offset,
                                           std::span<std::byte const> bytes) = 0;
  /// All of that block was written, and it is right.
  virtual void Arrived(std::uint64_t block) = 0;
};

/// How a download ended; all empty: the sink has got all blocks, or wanted no more.
struct FetchEnd {
  std::optional<tus::Error> server{};  ///< what tusclient says
  std::optional<Error> own{};          ///< the sink's, or EIO: a block is not what was sent
  bool is_wrong = false;               ///< it is the latter
};

/// One download of the blocks from `first` on. Blocks until it ends; `stop` ends it within 100 ms,
/// where the sink allows it.
[[nodiscard]] FetchEnd FetchBlocks(tus::Client& client, Store const& store, Remote const& remote,
                                   std::uint64_t first, BlockSink& sink, std::stop_token stop);

struct FetchRetry {
  tus::RetryPolicy policy{};
  /// Transient failures are tried again until nothing has arrived for so long.
  std::chrono::milliseconds patience{60'000};
  std::function<double()> random{};  ///< in [0, 1)
};

/// How long one reader's patience with the server lasts.
class Patience {
 public:
  explicit Patience(FetchRetry retry) : retry_(std::move(retry)) {}

  /// Something has arrived.
  void Renew() { failures_ = 0; }
  /// How long to wait before the next try. Errors: EIO with the server's words, when there is none.
  [[nodiscard]] Result<std::chrono::milliseconds> Spend(tus::Error const& error, SteadyTime now);

 private:
  FetchRetry const retry_;
  int failures_ = 0;    ///< in a row
  SteadyTime first_{};  ///< of these
};

}  // namespace tusfs
