#include "proof/source_reader.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <vector>

#include "base/file.h"

namespace tusfs {
namespace {

constexpr std::size_t kPiece = std::size_t{1} << 20;

bool IsAsListed(int fd, SourceEntry const& entry) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && IsAsListed(status, entry);
}

}  // namespace

SourceBytes ReadSource(std::filesystem::path const& file, SourceEntry const& entry,
                       std::function<void(std::span<std::byte const>)> const& passed,
                       std::stop_token const& stop) {
  SourceBytes bytes;
  auto const fd = OpenFile(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  if (!fd) {
    bytes.problem = "it cannot be read: " + Describe(fd.error());
    return bytes;
  }
  bytes.was_changing = !IsAsListed(fd->get(), entry);
  if (bytes.was_changing) return bytes;
  ::posix_fadvise(fd->get(), 0, 0, POSIX_FADV_SEQUENTIAL);
  std::vector<std::byte> piece(kPiece);
  BlockHasher hasher;
  for (std::uint64_t at = 0; at < entry.size;) {
    if (stop.stop_requested()) {
      bytes.problem = "it was not read to its end";
      return bytes;
    }
    auto const room =
        std::min<std::uint64_t>({kPiece, kDigestBlock - at % kDigestBlock, entry.size - at});
    auto const got =
        ReadFully(fd->get(), std::span(piece).first(static_cast<std::size_t>(room)), at);
    if (!got) {
      bytes.problem =
          "it cannot be read from byte " + std::to_string(at) + " on: " + Describe(got.error());
      return bytes;
    }
    if (*got != room) break;  // it has become shorter
    hasher.Update(std::span(piece).first(*got));
    at += *got;
    passed(std::span(piece).first(*got));
    if (at % kDigestBlock != 0 && at != entry.size) continue;
    bytes.blocks.push_back(hasher.Digest());
    hasher.Reset();
  }
  bytes.was_changing = !IsAsListed(fd->get(), entry);
  return bytes;
}

}  // namespace tusfs
