#include "catalog/overlay.h"

#include <cerrno>
#include <utility>

#include "catalog/codec.h"

namespace tusfs {
namespace {

enum class ChangeKind : std::uint8_t { kPut = 1, kDelete = 2 };  // on disk (journal)

}  // namespace

void Overlay::Set(Table table, std::string key, Row row) {
  tables_[static_cast<std::size_t>(table)].insert_or_assign(std::move(key), std::move(row));
}

Overlay::Row const* Overlay::Find(Table table, std::string_view key) const {
  auto const& rows = tables_[static_cast<std::size_t>(table)];
  auto const found = rows.find(key);
  return found == rows.end() ? nullptr : &found->second;
}

Result<void> Overlay::Redo(std::string_view payload) {
  Decoder decoder(payload);
  while (decoder.ok() && !decoder.empty()) {
    auto const table = decoder.Number<std::uint8_t>();
    auto const kind = static_cast<ChangeKind>(decoder.Number<std::uint8_t>());
    auto key = decoder.Text();
    bool const known = kind == ChangeKind::kPut || kind == ChangeKind::kDelete;
    auto row = kind == ChangeKind::kPut ? Row(decoder.Text()) : Row();
    if (!decoder.ok() || table == 0 || table >= kTableCount || !known || !IsKey(key)) {
      decoder.Spoil();
      break;
    }
    Set(static_cast<Table>(table), std::move(key), std::move(row));
  }
  if (!decoder.Finished()) return Fail(EUCLEAN, "the catalog's journal has a record of no meaning");
  return {};
}

void EncodeChange(Encoder& encoder, Table table, std::string_view key, Overlay::Row const& row) {
  encoder.Number(static_cast<std::uint8_t>(table))
      .Number(static_cast<std::uint8_t>(row ? ChangeKind::kPut : ChangeKind::kDelete))
      .Text(key);
  if (row) encoder.Text(*row);
}

OverlayCursor::OverlayCursor(Overlay const& newer, Overlay const* older, Table table,
                             std::string_view first)
    : newer_(RangeOf(&newer, table, first)), older_(RangeOf(older, table, first)) {}

OverlayCursor::Range OverlayCursor::RangeOf(Overlay const* overlay, Table table,
                                            std::string_view first) {
  static Overlay::Rows const kNone;
  auto const& rows = overlay == nullptr ? kNone : overlay->rows(table);
  return {rows.lower_bound(first), rows.end()};
}

Overlay::Rows::value_type const* OverlayCursor::At() const {
  bool const no_newer = newer_.at == newer_.end;
  bool const no_older = older_.at == older_.end;
  if (no_newer && no_older) return nullptr;
  if (no_newer) return &*older_.at;
  if (no_older) return &*newer_.at;
  return older_.at->first < newer_.at->first ? &*older_.at : &*newer_.at;
}

void OverlayCursor::Next() {
  auto const* const at = At();
  // Of two rows of one key the older one is hidden.
  if (older_.at != older_.end && !(at->first < older_.at->first)) ++older_.at;
  if (newer_.at != newer_.end && &*newer_.at == at) ++newer_.at;
}

}  // namespace tusfs
