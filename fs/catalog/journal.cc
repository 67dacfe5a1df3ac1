#include "catalog/journal.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <vector>

#include "catalog/codec.h"

namespace tusfs {
namespace {

constexpr std::size_t kHeaderSize = 32;

std::uint64_t Checksum(std::uint32_t size, std::uint64_t epoch, std::uint64_t sequence,
                       std::string_view payload) {
  auto const head = Encoder().Number(size).Number(epoch).Number(sequence).Take();
  return XXH3_64bits_withSeed(payload.data(), payload.size(),
                              XXH3_64bits(head.data(), head.size()));
}

}  // namespace

Result<Journal> Journal::Open(std::filesystem::path const& path, std::uint64_t size) {
  auto fd = OpenFile(path, O_RDWR | O_CREAT | O_NOFOLLOW);
  if (!fd) return Failure(fd.error());
  struct stat status {};
  if (::fstat(fd->get(), &status) != 0) return FailErrno(path.string());
  // Written, not only allocated: a later write must not need space, not even for an extent.
  std::vector<std::byte> const zeros(1 << 20);
  for (auto at = static_cast<std::uint64_t>(status.st_size); at < size;) {
    auto const piece = std::min<std::uint64_t>(zeros.size(), size - at);
    auto written = WriteFully(fd->get(), std::span(zeros).first(piece), at);
    if (!written) return Fail(written.error().code, path.string() + ": " + written.error().context);
    at += piece;
  }
  return Journal(std::move(*fd), size / 2);
}

bool Journal::Fits(std::size_t size) const { return end_ + kHeaderSize + size <= half_; }

Result<void> Journal::Append(std::uint64_t epoch, std::uint64_t sequence,
                             std::string_view payload) {
  if (!Fits(payload.size())) return Fail(ENOSPC, "the catalog's journal is full");
  auto const size = static_cast<std::uint32_t>(payload.size());
  auto record = Encoder()
                    .Number(size)
                    .Number(std::uint32_t{0})
                    .Number(epoch)
                    .Number(sequence)
                    .Number(Checksum(size, epoch, sequence, payload))
                    .Take();
  record.append(payload);
  auto written = WriteFully(fd_.get(), std::as_bytes(std::span(record)), begin_ + end_);
  if (!written) return Fail(written.error().code, "journal: " + written.error().context);
  end_ += record.size();
  return {};
}

void Journal::Turn() {
  begin_ = begin_ == 0 ? half_ : 0;
  end_ = 0;
}

Result<void> Journal::Replay(std::uint64_t epoch, std::uint64_t sequence,
                             std::function<Result<void>(Record const&)> const& apply) {
  Next next{epoch, sequence};
  begin_ = end_ = 0;
  auto found = ReplayHalf(next, apply, false);
  if (found && !*found) {
    Turn();
    found = ReplayHalf(next, apply, false);
  }
  if (!found) return Failure(found.error());
  auto const end = end_;
  Turn();
  auto const turned = ReplayHalf(next, apply, *found);
  if (!turned) return Failure(turned.error());
  if (*turned || !*found) return {};
  Turn();
  end_ = end;
  return {};
}

// Returns whether there was any.
Result<bool> Journal::ReplayHalf(Next& next,
                                 std::function<Result<void>(Record const&)> const& apply,
                                 bool turned) {
  end_ = 0;
  while (Fits(0)) {
    std::string header(kHeaderSize, '\0');
    auto got = ReadFully(fd_.get(), std::as_writable_bytes(std::span(header)), begin_ + end_);
    if (!got) return Fail(got.error().code, "journal: " + got.error().context);
    Decoder decoder(header);
    auto const size = decoder.Number<std::uint32_t>();
    decoder.Number<std::uint32_t>();
    auto const epoch = decoder.Number<std::uint64_t>();
    auto const sequence = decoder.Number<std::uint64_t>();
    if (*got != kHeaderSize || epoch < next.epoch || sequence != next.sequence || !Fits(size)) {
      break;
    }
    auto const checksum = decoder.Number<std::uint64_t>();
    std::string payload(size, '\0');
    auto const at = begin_ + end_ + kHeaderSize;
    got = ReadFully(fd_.get(), std::as_writable_bytes(std::span(payload)), at);
    if (!got) return Fail(got.error().code, "journal: " + got.error().context);
    if (*got != size || Checksum(size, epoch, sequence, payload) != checksum) break;
    auto applied = apply({epoch, sequence, payload, turned && end_ == 0});
    if (!applied) return Failure(applied.error());
    end_ += kHeaderSize + size;
    next = {epoch, sequence + 1};
  }
  return end_ > 0;
}

Result<void> Journal::Sync() const {
  if (::fdatasync(fd_.get()) != 0) return FailErrno("journal");
  return {};
}

}  // namespace tusfs
