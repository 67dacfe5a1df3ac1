#include "control/tar_gz.h"

#include <zlib.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <string_view>

namespace tusfs {
namespace {

constexpr std::size_t kBlock = 512;
constexpr std::size_t kLongestName = 100;
constexpr int kGzip = 15 + 16;  // the largest window, gzip's head
constexpr int kMemory = 8;

/// One block, field by field.
class Header {
 public:
  void Put(std::size_t at, std::string_view text) { text.copy(block_.data() + at, text.size()); }
  /// Octal digits with a zero behind them, `size` bytes together.
  void PutNumber(std::size_t at, std::size_t size, std::uint64_t number) {
    char digits[24];
    std::snprintf(digits, sizeof digits, "%0*llo", static_cast<int>(size - 1),
                  static_cast<unsigned long long>(number));
    Put(at, digits);
  }
  /// With the sum over all of it, for which its own field is blank.
  [[nodiscard]] std::string Sealed() {
    Put(148, "        ");
    std::uint64_t sum = 0;
    for (char const c : block_) sum += static_cast<unsigned char>(c);
    PutNumber(148, 7, sum);
    block_[154] = '\0';
    return {block_.data(), block_.size()};
  }

 private:
  std::array<char, kBlock> block_{};
};

Result<std::string> HeaderOf(ArchiveMember const& member, std::int64_t modified) {
  if (member.name.size() > kLongestName) return Fail(ENAMETOOLONG, member.name);
  Header header;
  header.Put(0, member.name);
  header.PutNumber(100, 8, 0600);
  header.PutNumber(108, 8, 0);  // the owner
  header.PutNumber(116, 8, 0);  // the group
  header.PutNumber(124, 12, member.text.size());
  header.PutNumber(136, 12, static_cast<std::uint64_t>(modified));
  header.Put(156, "0");  // a regular file
  header.Put(257, std::string_view("ustar\00000", 8));
  return header.Sealed();
}

Result<std::string> Packed(std::string const& bytes) {
  z_stream stream{};
  if (::deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzip, kMemory,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
    return Fail(ENOMEM, "the archive cannot be packed");
  }
  std::string packed(::deflateBound(&stream, bytes.size()), '\0');
  // deflate() only reads what it is given.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  bool const is_done = ::deflate(&stream, Z_FINISH) == Z_STREAM_END;
  packed.resize(packed.size() - stream.avail_out);
  ::deflateEnd(&stream);
  if (!is_done) return Fail(EIO, "the archive cannot be packed");
  return packed;
}

}  // namespace

Result<std::string> TarGz(std::vector<ArchiveMember> const& members, std::int64_t modified) {
  std::string tar;
  for (auto const& member : members) {
    auto header = HeaderOf(member, modified);
    if (!header) return header;
    tar += *header + member.text;
    tar.append((kBlock - member.text.size() % kBlock) % kBlock, '\0');
  }
  tar.append(2 * kBlock, '\0');
  if (tar.size() > UINT_MAX / 2) return Fail(EFBIG, "the archive is too large");
  return Packed(tar);
}

}  // namespace tusfs
