#include "proof/ledger_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>
#include <system_error>
#include <unordered_set>
#include <utility>

#include "catalog/codec.h"

namespace tusfs {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kHead = "tusfs ledger 1\n";
constexpr std::string_view kSuffix = ".rows";
constexpr std::size_t kRowHead = sizeof(std::uint32_t) + sizeof(std::uint64_t);
constexpr std::uint64_t kLongestRow = std::uint64_t{256} << 20;
constexpr FileTime kSecond = 1'000'000'000;

std::string NameOf(std::uint64_t number) {
  char name[32];
  std::snprintf(name, sizeof name, "%08llu.rows", static_cast<unsigned long long>(number));
  return name;
}

struct Numbered {
  std::uint64_t number = 0;
  fs::path path;
};

Result<std::vector<Numbered>> ListFiles(fs::path const& directory) {
  std::vector<Numbered> files;
  std::error_code failed;
  for (fs::directory_iterator at(directory, failed), end; !failed && at != end;
       at.increment(failed)) {
    auto const name = at->path().filename().string();
    auto const digits = name.find_first_not_of("0123456789");
    if (digits == 0 || digits > 18 || name.substr(digits) != kSuffix) continue;
    files.push_back({std::stoull(name), at->path()});
  }
  if (failed) return Fail(failed.value(), directory.string() + ": " + failed.message());
  std::ranges::sort(files, {}, &Numbered::number);
  return files;
}

// Not mapped: a disk that fails would kill who reads.
Result<std::string> ReadWhole(fs::path const& path) {
  auto const fd = OpenFile(path, O_RDONLY | O_NOFOLLOW);
  if (!fd) return Failure(fd.error());
  struct stat status {};
  if (::fstat(fd->get(), &status) != 0) return FailErrno(path.string());
  std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
  auto const got = ReadFully(fd->get(), std::as_writable_bytes(std::span(bytes)), 0);
  if (!got) return Fail(got.error().code, path.string() + ": " + Describe(got.error()));
  bytes.resize(*got);
  return bytes;
}

// The body of the row at the beginning of `bytes`; nothing where there is no whole one.
std::optional<std::string_view> BodyAt(std::string_view bytes) {
  if (bytes.size() < kRowHead) return std::nullopt;
  Decoder head(bytes.substr(0, kRowHead));
  auto const length = head.Number<std::uint32_t>();
  auto const sum = head.Number<std::uint64_t>();
  if (length > kLongestRow || length > bytes.size() - kRowHead) return std::nullopt;
  auto const body = bytes.substr(kRowHead, length);
  return XXH3_64bits(body.data(), body.size()) == sum ? std::optional(body) : std::nullopt;
}

// Looks like a row, before its bytes are summed up: two texts that fill it.
bool MayBeRow(std::string_view bytes) {
  Decoder decoder(bytes);
  std::uint64_t const length = decoder.Number<std::uint32_t>();
  decoder.Number<std::uint64_t>();
  std::uint64_t const record = decoder.Number<std::uint32_t>();
  if (!decoder.ok() || length < record + 2 * sizeof(std::uint32_t) ||
      length > bytes.size() - kRowHead) {
    return false;
  }
  Decoder behind(bytes.substr(kRowHead + sizeof(std::uint32_t) + record));
  return behind.Number<std::uint32_t>() == length - record - 2 * sizeof(std::uint32_t);
}

// Where the next whole row begins behind damage. `bytes` begin with the damaged one.
std::size_t NextWhole(std::string_view bytes) {
  for (std::size_t at = 1; at + kRowHead < bytes.size(); ++at) {
    auto const rest = bytes.substr(at);
    if (MayBeRow(rest) && BodyAt(rest)) return at;
  }
  return bytes.size();
}

// Calls `visit(body)` until it returns false, and `damaged(offset, next)`. Whether it may go on.
template <typename Visit, typename Damaged>
bool VisitBodies(std::string_view bytes, Visit const& visit, Damaged const& damaged) {
  std::size_t at = kHead.size();
  if (!bytes.starts_with(kHead)) {
    at = NextWhole(bytes);
    damaged(std::size_t{0}, at);
  }
  while (at < bytes.size()) {
    auto const rest = bytes.substr(at);
    if (auto const body = BodyAt(rest)) {
      if (!visit(*body)) return false;
      at += kRowHead + body->size();
      continue;
    }
    auto const next = at + NextWhole(rest);
    damaged(at, next);
    at = next;
  }
  return true;
}

void AppendRow(std::string& bytes, LedgerWriter::Row const& row) {
  std::string blocks;
  for (auto const& block : row.blocks) {
    blocks += Encoder().Number(block.length).Take();
    blocks.append(reinterpret_cast<char const*>(block.digest.data()), block.digest.size());
  }
  auto const body = Encoder().Text(Encode(row.proof)).Text(blocks).Take();
  bytes += Encoder()
               .Number(static_cast<std::uint32_t>(body.size()))
               .Number(std::uint64_t{XXH3_64bits(body.data(), body.size())})
               .Take();
  bytes += body;
}

struct HashId {
  std::size_t operator()(Uuid const& id) const {
    std::size_t hash = 0;
    std::memcpy(&hash, id.bytes.data(), sizeof hash);  // they are random
    return hash;
  }
};

}  // namespace

fs::path LedgerDirectory(fs::path const& state_dir) { return state_dir / "ledger"; }

// ---- writing

Result<LedgerWriter> LedgerWriter::Open(fs::path directory, Options options, Logger logger) {
  if (auto made = MakePrivateDirectory(directory); !made) return Failure(made.error());
  LedgerWriter writer(std::move(directory), options, std::move(logger));
  if (auto opened = writer.OpenLast(); !opened) return Failure(opened.error());
  return writer;
}

Result<void> LedgerWriter::OpenLast() {
  auto const files = ListFiles(directory_);
  if (!files) return Failure(files.error());
  if (files->empty()) return BeginFile(1);
  auto const& last = files->back();
  std::uint64_t good = 0;
  std::uint64_t size = 0;
  {
    auto const bytes = ReadWhole(last.path);
    if (!bytes) return Failure(bytes.error());
    size = good = bytes->size();
    VisitBodies(
        *bytes, [](std::string_view) { return true; },
        [&](std::size_t at, std::size_t next) {
          if (next == bytes->size()) good = at;
        });
  }
  if (good < size) {
    if (auto cut = CutEnd(last.path, good, size); !cut) return cut;
  }
  // One without even a head was being made.
  if (good < kHead.size()) return BeginFile(last.number);
  auto file = OpenFile(last.path, O_WRONLY | O_NOFOLLOW);
  if (!file) return Failure(file.error());
  file_ = *std::move(file);
  number_ = last.number;
  end_ = good;
  return {};
}

Result<void> LedgerWriter::CutEnd(fs::path const& path, std::uint64_t good, std::uint64_t size) {
  auto const file = OpenFile(path, O_RDWR | O_NOFOLLOW);
  if (!file) return Failure(file.error());
  std::string rest(static_cast<std::size_t>(size - good), '\0');
  auto const got = ReadFully(file->get(), std::as_writable_bytes(std::span(rest)), good);
  if (!got) return Failure(got.error());
  rest.resize(*got);
  auto aside = path;
  aside += ".cut-at-" + std::to_string(good);
  if (auto kept = ReplaceFile(aside, rest); !kept) return kept;
  if (::ftruncate(file->get(), static_cast<off_t>(good)) != 0) return FailErrno(path.string());
  if (::fdatasync(file->get()) != 0) return FailErrno(path.string());
  logger_->Warn(
      "the ledger had a damaged end, which is cut off and kept beside it; what the catalog has for "
      "it is written again file=\"{}\" offset={} bytes={} aside=\"{}\"",
      path.string(), good, rest.size(), aside.string());
  return SyncDirectory(directory_);
}

Result<void> LedgerWriter::BeginFile(std::uint64_t number) {
  auto const path = directory_ / NameOf(number);
  auto file = OpenFile(path, O_WRONLY | O_CREAT | O_NOFOLLOW);
  if (!file) return Failure(file.error());
  auto const written = WriteFully(file->get(), std::as_bytes(std::span(kHead)), 0);
  if (!written) return written;
  if (::fdatasync(file->get()) != 0) return FailErrno(path.string());
  if (auto synced = SyncDirectory(directory_); !synced) return synced;
  file_ = *std::move(file);
  number_ = number;
  end_ = kHead.size();
  return {};
}

Result<void> LedgerWriter::Append(std::vector<Row> const& rows) {
  if (rows.empty()) return {};
  if (end_ > kHead.size() && end_ >= options_.largest) {
    if (auto begun = BeginFile(number_ + 1); !begun) return begun;
  }
  std::string bytes;
  for (auto const& row : rows) AppendRow(bytes, row);
  // Over what an earlier try has left behind the end.
  auto const written = WriteFully(file_.get(), std::as_bytes(std::span(bytes)), end_);
  if (!written) return written;
  if (::fdatasync(file_.get()) != 0) return FailErrno((directory_ / NameOf(number_)).string());
  end_ += bytes.size();
  return {};
}

Result<int> LedgerWriter::RemoveOld(FileTime now) {
  if (options_.keep == 0) return 0;
  auto const files = ListFiles(directory_);
  if (!files) return Failure(files.error());
  int removed = 0;
  for (auto const& file : *files) {
    if (file.number >= number_) break;
    struct stat status {};
    if (::stat(file.path.c_str(), &status) != 0) return FailErrno(file.path.string());
    // Nothing is written to it any more: its time is that of its last row.
    if (status.st_mtim.tv_sec >= now / kSecond - options_.keep) break;
    if (::unlink(file.path.c_str()) != 0) return FailErrno(file.path.string());
    logger_->Info("a part of the ledger is older than it is to be kept file=\"{}\"",
                  file.path.string());
    ++removed;
  }
  return removed;
}

// ---- reading

std::vector<BlockDigest> BlocksOf(LedgerRow const& row) {
  std::vector<BlockDigest> blocks;
  constexpr std::size_t kEntry = sizeof(std::uint32_t) + sizeof(BlockDigest::digest);
  for (std::size_t at = 0; at + kEntry <= row.blocks.size(); at += kEntry) {
    auto const entry = row.blocks.substr(at, kEntry);
    BlockDigest block;
    block.length = Decoder(entry).Number<std::uint32_t>();
    std::memcpy(block.digest.data(), entry.data() + sizeof block.length, block.digest.size());
    blocks.push_back(block);
  }
  return blocks;
}

Result<void> VisitLedger(fs::path const& directory,
                         std::function<bool(LedgerRow const&)> const& visit,
                         std::function<void(LedgerDamage const&)> const& damaged) {
  auto const files = ListFiles(directory);
  if (!files && files.error().code == ENOENT) {
    return Fail(ENOENT, "'" + directory.parent_path().string() +
                            "' has no ledger: name the state directory of a mount, which this "
                            "version of tusfs has served");
  }
  if (!files) return Failure(files.error());
  std::unordered_set<Uuid, HashId> seen;
  Proof proof;
  for (auto const& file : *files) {
    auto const whole = ReadWhole(file.path);
    if (!whole && whole.error().code == ENOENT) continue;  // it has just become too old
    if (!whole) return Failure(whole.error());
    std::string_view const bytes = *whole;
    auto const tell = [&](std::size_t at, std::size_t next) {
      damaged({file.path.string(), at, next == bytes.size() && &file == &files->back()});
    };
    bool const goes_on = VisitBodies(
        bytes,
        [&](std::string_view body) {
          Decoder decoder(body);
          auto const record = decoder.TextView();
          auto const blocks = decoder.TextView();
          if (!decoder.Finished() || !DecodeProof(record, proof)) {
            tell(static_cast<std::size_t>(body.data() - bytes.data()) - kRowHead, 0);
            return true;
          }
          return !seen.insert(proof.id).second || visit({proof, blocks});
        },
        tell);
    if (!goes_on) return {};
  }
  return {};
}

}  // namespace tusfs
