// The catalog's journal, as a killed process, a power cut or a bad disk has left it: what was
// answered is done again, in its order and from the first record on, and nothing else is.
//
// An input is a text. First, lines that go into the journal one behind the other:
//
//     put 3 KEY VALUE      a record that puts a row into a table
//     del 3 KEY            one that deletes a row
//     move 3 KEY VALUE     one that puts a row, and deletes it in the next table
//     old 3 KEY VALUE      as put, but of the epoch before
//     gap 3 KEY VALUE      as put, but its number is not the next one
//     raw BYTES            a record that may be anything, under a checksum that is right
//
// Then lines that damage it:
//
//     over N BYTES         other bytes from byte N on
//     cut N                zeros from byte N on, as of a write that was torn
//     short N              nothing from byte N on
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "base/fakes.h"
#include "catalog/codec.h"
#include "catalog/store.h"
#include "fuzz_target.h"
#include "testing/files.h"

namespace tusfs {
namespace {

using tus::fuzz::NumberOf;
using tus::fuzz::Require;

constexpr std::size_t kRecordHeader = 32;
constexpr std::size_t kLongestKey = 500;
constexpr std::size_t kMostLines = 64;
StoreOptions const kOptions{.map_size = std::uint64_t{1} << 20,
                            .journal_size = 16 * 1024,
                            .commit_interval = std::chrono::hours(1)};
// Those in which the store keeps nothing of its own.
constexpr std::size_t kFirstTable = 2;
constexpr std::size_t kTables = kTableCount - kFirstTable;

using Rows = std::map<std::pair<std::size_t, std::string>, std::string>;

Result<std::unique_ptr<Store>> OpenStore(std::filesystem::path const& directory) {
  return Store::Open(directory, kOptions, QuietLogger());
}

Rows RowsOf(Store const& store) {
  Rows rows;
  for (auto table = kFirstTable; table < kTableCount; ++table) {
    auto const add = [&](std::string_view key, std::string_view value) {
      rows[{table, std::string(key)}] = value;
      return true;
    };
    auto const scanned = store.Read(
        [&](View const& view) { return view.Scan(static_cast<Table>(table), "", "", add); });
    Require(scanned.has_value(), "a store that opens can be read");
  }
  return rows;
}

/// A store that was made and closed: what each input begins with.
struct Beginning {
  Beginning() {
    auto const store = OpenStore(dir.path()).value();
    // As a store takes them that LMDB has committed nothing of yet.
    auto const read = store->Read([&](View const& view) -> Result<void> {
      auto const at = [&](char const* key, std::uint64_t otherwise) {
        auto const row = view.Get(Table::kMeta, key).value();
        return row ? Decoder(*row).Number<std::uint64_t>() : otherwise;
      };
      epoch = at("journal.epoch", 1);
      sequence = at("journal.sequence", 0);
      return {};
    });
    Require(read.has_value(), "a new store can be read");
  }

  tusfs_testing::TempDir const dir;
  std::uint64_t epoch = 0;
  std::uint64_t sequence = 0;
};

/// A journal in the making, and what a store must make of it.
class Script {
 public:
  Script(std::filesystem::path path, std::uint64_t epoch, std::uint64_t sequence)
      : path_(std::move(path)),
        journal_(Journal::Open(path_, kOptions.journal_size).value()),
        epoch_(epoch),
        next_(sequence + 1) {}

  void Run(std::string_view text) {
    for (std::size_t i = 0; i < kMostLines && !text.empty(); ++i) {
      RunLine(tus::fuzz::TakeLine(text));
    }
  }

  /// What may be there: the state after each record, from none on, that is not damaged for certain.
  [[nodiscard]] std::span<Rows const> states() const {
    auto const whole = std::ranges::count_if(ends_, [&](auto end) { return end <= damaged_at_; });
    return std::span(states_).subspan(static_cast<std::size_t>(whole));
  }
  /// Whether a record of any bytes may be read.
  [[nodiscard]] bool has_raw() const { return has_raw_; }

 private:
  static std::string_view TakeWord(std::string_view& line) {
    auto const end = std::min(line.find(' '), line.size());
    auto const word = line.substr(0, end);
    line.remove_prefix(std::min(end + 1, line.size()));
    return word;
  }

  void RunLine(std::string_view line) {
    auto const word = TakeWord(line);
    if (word == "over" || word == "cut" || word == "short") return Damage(word, line);
    if (damaged_at_ != kUndamaged) return;
    if (word == "raw") return AppendRaw(line);
    auto const table = NumberOf(TakeWord(line)) % kTables;
    std::string key(TakeWord(line).substr(0, kLongestKey));
    if (key.empty()) key = "key";
    AppendChanges(word, table, key, std::string(line));
  }

  void AppendChanges(std::string_view word, std::size_t table, std::string const& key,
                     std::string const& value) {
    auto rows = states_.back();
    Encoder changes;
    auto const put = [&](std::size_t at) {
      rows[{at, key}] = value;
      changes.Number(static_cast<std::uint8_t>(at)).Number(std::uint8_t{1}).Text(key).Text(value);
    };
    auto const del = [&](std::size_t at) {
      rows.erase({at, key});
      changes.Number(static_cast<std::uint8_t>(at)).Number(std::uint8_t{2}).Text(key);
    };
    if (word != "del") put(kFirstTable + table);
    if (word == "del") del(kFirstTable + table);
    if (word == "move") del(kFirstTable + (table + 1) % kTables);
    auto const payload = changes.Take();
    bool const is_next = word != "old" && word != "gap";
    if (!journal_.Append(word == "old" ? epoch_ - 1 : epoch_, word == "gap" ? next_ + 1 : next_,
                         payload)) {
      return;
    }
    ++next_;
    end_ += kRecordHeader + payload.size();
    ended_ = ended_ || !is_next;
    if (ended_) return;
    states_.push_back(std::move(rows));
    ends_.push_back(end_);
  }

  void AppendRaw(std::string_view payload) {
    if (!journal_.Append(epoch_, next_, payload)) return;
    ++next_;
    end_ += kRecordHeader + payload.size();
    has_raw_ = has_raw_ || !ended_;
    ended_ = true;
  }

  void Damage(std::string_view word, std::string_view line) {
    auto const at = NumberOf(TakeWord(line)) % kOptions.journal_size;
    damaged_at_ = std::min<std::size_t>(damaged_at_, at);
    std::filesystem::resize_file(path_, word == "over" ? kOptions.journal_size : at);
    if (word == "cut") std::filesystem::resize_file(path_, kOptions.journal_size);
    if (word != "over") return;
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(at));
    file.write(line.data(), static_cast<std::streamsize>(line.size()));
  }

  static constexpr std::size_t kUndamaged = SIZE_MAX;

  std::filesystem::path const path_;
  Journal journal_;
  std::uint64_t const epoch_;
  std::uint64_t next_;
  std::size_t end_ = 0;
  bool ended_ = false;  ///< no record that follows may be read
  bool has_raw_ = false;
  std::vector<Rows> states_{1};
  std::vector<std::size_t> ends_;  ///< of the records of states_
  std::size_t damaged_at_ = kUndamaged;
};

void RequireNothingDone(std::filesystem::path const& directory) {
  std::filesystem::remove(directory / "journal");
  auto const store = OpenStore(directory);
  Require(store.has_value(), "a journal that is refused has not touched the store");
  Require(RowsOf(**store).empty(), "a journal that is refused is not done by half");
}

void Replay(std::string_view text) {
  static Beginning const beginning;
  tusfs_testing::TempDir const dir;
  std::filesystem::copy_file(beginning.dir / "data.mdb", dir / "data.mdb");
  Script script(dir / "journal", beginning.epoch, beginning.sequence);
  script.Run(text);
  auto store = OpenStore(dir.path());
  if (!store) {
    Require(script.has_raw(), "damage ends a journal, and is no reason to refuse the store",
            store.error().context);
    tus::fuzz::RequirePresentable(store.error().context);
    return RequireNothingDone(dir.path());
  }
  auto const rows = RowsOf(**store);
  if (!script.has_raw()) {
    auto const states = script.states();
    Require(std::ranges::find(states, rows) != states.end(),
            "what was answered before the damage is there, and nothing that came after it");
  }
  store->reset();
  store = OpenStore(dir.path());
  Require(store.has_value() && RowsOf(**store) == rows, "what was done again stays done");
}

}  // namespace
}  // namespace tusfs

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  tusfs::Replay({reinterpret_cast<char const*>(data), size});
  return 0;
}
