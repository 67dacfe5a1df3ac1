#include "uploader/fetch.h"

#include <cerrno>
#include <utility>

#include "catalog/adoptable.h"
#include "catalog/life.h"
#include "catalog/tables.h"
#include "uploader/create_command.h"

namespace tusfs {
namespace {

/// Cuts what arrives into blocks.
class Blocks {
 public:
  Blocks(Store const& store, Remote const& remote, BlockSink& sink, FetchEnd& end)
      : store_(store), remote_(remote), sink_(sink), end_(end) {}

  bool Take(std::uint64_t offset, std::span<std::byte const> bytes) {
    while (!bytes.empty()) {
      auto const block = offset / kDigestBlock;
      auto const within = offset % kDigestBlock;
      if (within == 0) {
        if (!sink_.Wants(block)) return false;
        hasher_.Reset();
      }
      auto const size = remote_.BlockSize(block);
      auto const piece = bytes.first(
          static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), size - within)));
      if (auto written = sink_.Write(offset, piece); !written) return Fails(written.error());
      hasher_.Update(piece);
      if (within + piece.size() == size) {
        if (auto right = Check(block); !right) return Fails(right.error());
        sink_.Arrived(block);
      }
      offset += piece.size();
      bytes = bytes.subspan(piece.size());
    }
    return true;
  }

 private:
  bool Fails(Error error) {
    end_.own = std::move(error);
    return false;
  }

  /// A block of which nothing is known is taken as it is.
  Result<void> Check(std::uint64_t block) {
    auto const sent =
        store_.Read([&](View const& view) { return FindDigest(view, remote_.upload, block); });
    if (!sent) return Failure(sent.error());
    auto const arrived = hasher_.Digest();
    if (!*sent || (*sent)->length != arrived.length || **sent == arrived) return {};
    auto const begin = block * kDigestBlock;
    end_.is_wrong = true;
    return Fail(EIO, "what the server gives is not what was sent: bytes " + std::to_string(begin) +
                         " to " + std::to_string(begin + arrived.length) + " differ");
  }

  Store const& store_;
  Remote const& remote_;
  BlockSink& sink_;
  FetchEnd& end_;
  BlockHasher hasher_;
};

}  // namespace

Result<Remote> FindRemote(View const& view, InodeId id) {
  auto const inode = GetInode(view, id);
  if (!inode) return Failure(inode.error());
  if (!life::IsUploaded(*inode) || inode->version != 0) {
    return Fail(ESTALE, "the file has changed meanwhile");
  }
  auto const upload = FindUpload(view, inode->upload);
  if (!upload) return Failure(upload.error());
  if (!*upload || (*upload)->url.empty()) {
    return Fail(EIO, "its bytes are on the server alone, and where is not known any more");
  }
  return Remote{.inode = id,
                .upload = inode->upload,
                .url = (*upload)->url,
                .headers = HeadersOf(**upload),
                .size = inode->size};
}

FetchEnd FetchBlocks(tus::Client& client, Store const& store, Remote const& remote,
                     std::uint64_t first, BlockSink& sink, std::stop_token stop) {
  FetchEnd end;
  Blocks blocks(store, remote, sink, end);
  bool enough = false;
  auto const done =
      client.Download({.url = remote.url,
                       .headers = remote.headers,
                       .offset = first * kDigestBlock,
                       .length = remote.size,
                       .sink =
                           [&](std::uint64_t offset, std::span<std::byte const> bytes) {
                             enough = !blocks.Take(offset, bytes);
                             return !enough;
                           },
                       .stop = std::move(stop)});
  if (!done && !enough) end.server = done.error();
  return end;
}

Result<std::chrono::milliseconds> Patience::Spend(tus::Error const& error, SteadyTime now) {
  if (failures_++ == 0) first_ = now;
  auto const delay = retry_.policy.Delay(failures_, error, retry_.random);
  auto const lasts = tus::IsTransient(error.code) || tus::IsOutage(error.code);
  auto const left =
      std::chrono::duration_cast<std::chrono::milliseconds>(first_ + retry_.patience - now);
  if (lasts && left.count() > 0) return std::min(delay, left);
  return Fail(EIO, "its bytes cannot be read back from the server: " + error.message);
}

}  // namespace tusfs
