#include "catalog/environment.h"

#include <fcntl.h>
#include <lmdb.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <utility>

#include "base/file.h"
#include "catalog/codec.h"
#include "catalog/headroom.h"
#include "catalog/mapping.h"

namespace tusfs {
namespace {

constexpr std::uint64_t kHeadroom = std::uint64_t{4} << 20;
constexpr char const* kSchemaKey = "schema";
constexpr char const* kTableNames[] = {
    nullptr,   "meta",   "inodes",  "names",   "entries", "links",     "handles", "uploads", "work",
    "replies", "xattrs", "digests", "targets", "kept",    "ownerless", "proofs",  "parts"};
// One without a name would be LMDB's own list of names.
static_assert(std::size(kTableNames) == kTableCount);

// What LMDB says only of a file that it has not written so.
bool IsDamage(int code) {
  return code == MDB_CORRUPTED || code == MDB_PAGE_NOTFOUND || code == MDB_INVALID ||
         code == MDB_VERSION_MISMATCH || code == MDB_MAP_RESIZED || code == MDB_INCOMPATIBLE ||
         code == MDB_CURSOR_FULL || code == MDB_PAGE_FULL;
}

Failure FailLmdb(std::string_view what, int code) {
  int as_errno = code > 0 ? code : EIO;
  if (IsDamage(code)) as_errno = EUCLEAN;
  return Fail(as_errno, "catalog: " + std::string(what) + ": " + ::mdb_strerror(code));
}

MDB_val Value(std::string_view bytes) { return {bytes.size(), const_cast<char*>(bytes.data())}; }

std::string_view Bytes(MDB_val const& value) {
  return {static_cast<char const*>(value.mv_data), value.mv_size};
}

/// Whether this process has room for a map of that size.
bool CanMap(std::filesystem::path const& path, std::uint64_t size) {
  auto const fd = ::tusfs::OpenFile(path, O_RDONLY | O_NOFOLLOW);
  if (!fd) return false;
  void* const memory = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd->get(), 0);
  if (memory == MAP_FAILED) return false;
  ::munmap(memory, size);
  return true;
}

}  // namespace

std::string DamagedCatalog(std::filesystem::path const& directory, std::string const& how) {
  return "the catalog in '" + directory.string() + "' is damaged (" + how + ")";
}

// ---- opening

Result<std::unique_ptr<Environment>> Environment::Open(std::filesystem::path const& directory,
                                                       std::uint64_t map_size, std::uint64_t newest,
                                                       Logger logger) {
  std::unique_ptr<Environment> environment(new Environment(directory, map_size, std::move(logger)));
  auto opened = environment->OpenFile();
  if (opened) opened = environment->OpenTables(newest);
  if (opened) opened = environment->Read();
  if (!opened) return Failure(opened.error());
  return environment;
}

Result<void> Environment::OpenFile() {
  auto const damaged = [this](std::string const& how) {
    return Fail(EUCLEAN, DamagedCatalog(directory_, how));
  };
  int code = ::mdb_env_create(&environment_);
  if (code == 0) code = ::mdb_env_set_maxdbs(environment_, kTableCount);
  if (code == 0) code = ::mdb_env_set_mapsize(environment_, map_size_);
  if (code != 0) return FailLmdb("create", code);
  code = ::mdb_env_open(environment_, directory_.c_str(), MDB_NOLOCK | MDB_NOTLS | MDB_NORDAHEAD,
                        0600);
  if (IsDamage(code)) return damaged(::mdb_strerror(code));
  // LMDB maps as much as the file says.
  bool const no_map = code == ENOMEM || code == EINVAL || code == EFBIG || code == EOVERFLOW;
  if (no_map && CanMap(directory_ / "data.mdb", map_size_)) return damaged("its size is absurd");
  if (code != 0) return FailLmdb("open " + directory_.string(), code);
  MDB_envinfo info{};
  MDB_stat stat{};
  struct stat file {};
  ::mdb_env_info(environment_, &info);
  ::mdb_env_stat(environment_, &stat);
  map_size_ = std::max<std::uint64_t>(map_size_, info.me_mapsize);
  ::mdb_env_get_fd(environment_, &file_);
  // A page behind the end of the file would be a SIGBUS when it is touched.
  if (::stat((directory_ / "data.mdb").c_str(), &file) == 0 && info.me_last_txnid > 0 &&
      static_cast<std::uint64_t>(file.st_size) < (info.me_last_pgno + 1) * stat.ms_psize) {
    return damaged("the file is shorter than it says");
  }
  KeepHeadroom();
  return {};
}

// On a full disk a commit could otherwise fail, and with it the next start.
void Environment::KeepHeadroom() {
  struct stat file {};
  if (::fstat(file_, &file) != 0 || file.st_size == headroom_at_) return;
  if (auto reserved = ReserveBehindEnd(file_, kHeadroom); reserved) {
    headroom_at_ = file.st_size;
    says_headroom_ = true;
  } else if (std::exchange(says_headroom_, false)) {
    logger_->Warn("the catalog cannot have disk in advance error=\"{}\"",
                  Describe(reserved.error()));
  }
}

// A catalog of a newer version is left as it is, so it is asked before anything is written.
Result<void> Environment::CheckSchema(MDB_txn* transaction, std::uint64_t newest) const {
  unsigned meta = 0;
  int const code = ::mdb_dbi_open(transaction, kTableNames[1], 0, &meta);
  if (code == MDB_NOTFOUND) return {};  // a new one
  if (code != 0) return Fail(EUCLEAN, DamagedCatalog(directory_, ::mdb_strerror(code)));
  MDB_val key = Value(kSchemaKey);
  MDB_val value{};
  if (::mdb_get(transaction, meta, &key, &value) != 0) return {};
  auto const schema = Decoder(Bytes(value)).Number<std::uint64_t>();
  if (schema <= newest) return {};
  return Fail(EPROTO, "the catalog in '" + directory_.string() +
                          "' was written by a newer tusfs (its schema is " +
                          std::to_string(schema) + ", this program knows " +
                          std::to_string(newest) +
                          "): start that version, or name another --state-dir");
}

Result<void> Environment::OpenTables(std::uint64_t newest) {
  MDB_txn* transaction = nullptr;
  int code = ::mdb_txn_begin(environment_, nullptr, 0, &transaction);
  if (code != 0) return FailLmdb("begin", code);
  if (auto checked = CheckSchema(transaction, newest); !checked) {
    ::mdb_txn_abort(transaction);
    return checked;
  }
  for (std::size_t table = 1; code == 0 && table < kTableCount; ++table) {
    code = ::mdb_dbi_open(transaction, kTableNames[table], MDB_CREATE, &tables_[table]);
  }
  if (code != 0) {
    ::mdb_txn_abort(transaction);
    return Fail(EUCLEAN, DamagedCatalog(directory_, ::mdb_strerror(code)));
  }
  // Handles of tables live as long as the transaction that opened them, unless it commits.
  code = ::mdb_txn_commit(transaction);
  if (code != 0) return FailLmdb("open tables", code);
  return {};
}

Environment::~Environment() {
  if (reader_ != nullptr) ::mdb_txn_abort(reader_);
  if (environment_ != nullptr) ::mdb_env_close(environment_);
}

// ---- reading

Result<void> Environment::Read() {
  int const code = ::mdb_txn_begin(environment_, nullptr, MDB_RDONLY, &reader_);
  if (code == 0) return {};
  reader_ = nullptr;
  return FailLmdb("read", code);
}

Result<void> Environment::Renew() {
  if (reader_ == nullptr) return Read();
  ::mdb_txn_reset(reader_);
  int const code = ::mdb_txn_renew(reader_);
  if (code == 0) return {};
  ::mdb_txn_abort(std::exchange(reader_, nullptr));
  return FailLmdb("read", code);
}

Result<std::optional<std::string>> Environment::Get(Table table, std::string_view key) const {
  if (reader_ == nullptr) return Fail(EIO, "the catalog cannot be read");
  if (!IsKey(key)) return std::optional<std::string>();
  MDB_val wanted = Value(key);
  MDB_val found{};
  int const code = ::mdb_get(reader_, tables_[static_cast<std::size_t>(table)], &wanted, &found);
  if (code == MDB_NOTFOUND) return std::optional<std::string>();
  if (code != 0) return FailLmdb("get", code);
  return std::optional<std::string>(Bytes(found));
}

Result<void> Environment::Scan(
    Table table, std::string_view first,
    std::function<bool(std::string_view, std::string_view)> const& visit) const {
  if (reader_ == nullptr) return Fail(EIO, "the catalog cannot be read");
  MDB_cursor* raw = nullptr;
  int code = ::mdb_cursor_open(reader_, tables_[static_cast<std::size_t>(table)], &raw);
  if (code != 0) return FailLmdb("cursor", code);
  std::unique_ptr<MDB_cursor, decltype(&::mdb_cursor_close)> const cursor(raw, ::mdb_cursor_close);
  MDB_val key = Value(first);
  MDB_val value{};
  auto move = key.mv_size == 0 ? MDB_FIRST : MDB_SET_RANGE;
  while ((code = ::mdb_cursor_get(raw, &key, &value, move)) == 0) {
    if (!visit(Bytes(key), Bytes(value))) return {};
    move = MDB_NEXT;
  }
  if (code != MDB_NOTFOUND) return FailLmdb("scan", code);
  return {};
}

// The map is of a file and is never written through, so nothing is lost with its pages; they stay
// in the kernel's cache.
void Environment::LetGoOfPages() {
  if (mapping_.empty()) mapping_ = FindMapping(file_);
  if (!mapping_.empty()) ::madvise(mapping_.data(), mapping_.size(), MADV_DONTNEED);
}

// ---- writing

int Environment::Write(MDB_txn* transaction, Overlay const& changes,
                       std::vector<MetaRow> const& rows) const {
  auto const put = [&](Table table, std::string_view key, std::string_view value) {
    MDB_val k = Value(key);
    MDB_val v = Value(value);
    return ::mdb_put(transaction, tables_[static_cast<std::size_t>(table)], &k, &v, 0);
  };
  for (std::size_t table = 1; table < kTableCount; ++table) {
    for (auto const& [key, row] : changes.rows(static_cast<Table>(table))) {
      MDB_val k = Value(key);
      int code = row ? put(static_cast<Table>(table), key, *row)
                     : ::mdb_del(transaction, tables_[table], &k, nullptr);
      if (code == MDB_NOTFOUND) code = 0;
      if (code != 0) return code;
    }
  }
  for (auto const& [key, value] : rows) {
    if (int const code = put(Table::kMeta, key, value); code != 0) return code;
  }
  return 0;
}

Result<Environment::Written> Environment::Commit(Overlay const& changes,
                                                 std::vector<MetaRow> const& rows) {
  MDB_txn* transaction = nullptr;
  int code = ::mdb_txn_begin(environment_, nullptr, 0, &transaction);
  if (code != 0) return FailLmdb("begin", code);
  code = Write(transaction, changes, rows);
  if (code == 0) {
    code = ::mdb_txn_commit(transaction);
  } else {
    ::mdb_txn_abort(transaction);
  }
  if (code == MDB_MAP_FULL) return Written::kMapIsFull;
  if (code != 0) return FailLmdb("commit", code);
  KeepHeadroom();
  return Written::kDone;
}

Result<void> Environment::Grow() {
  if (reader_ != nullptr) ::mdb_txn_abort(std::exchange(reader_, nullptr));
  mapping_ = {};
  auto const wanted = map_size_ * 2;
  if (int const code = ::mdb_env_set_mapsize(environment_, wanted); code != 0) {
    return FailLmdb("grow", code);
  }
  map_size_ = wanted;
  return Read();
}

}  // namespace tusfs
