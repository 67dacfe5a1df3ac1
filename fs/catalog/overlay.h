// Changes of the catalog that LMDB has not committed yet: the newest state of each row that they
// touched, in order of key.
//
// Plain data, owned and locked by Store.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "catalog/table.h"

namespace tusfs {

class Overlay {
 public:
  using Row = std::optional<std::string>;  ///< nothing: it was deleted
  using Rows = std::map<std::string, Row, std::less<>>;

  void Set(Table table, std::string key, Row row);
  /// Null where nobody has changed it.
  [[nodiscard]] Row const* Find(Table table, std::string_view key) const;
  [[nodiscard]] Rows const& rows(Table table) const {
    return tables_[static_cast<std::size_t>(table)];
  }

  /// Does what a journal's record says. Errors: EUCLEAN for one of no meaning; a part of it may be
  /// done then.
  [[nodiscard]] Result<void> Redo(std::string_view payload);

 private:
  std::array<Rows, kTableCount> tables_;
};

/// Journal grammar: u8 table | u8 kind | text key | text value, where it is a put; again and again.
class Encoder;
void EncodeChange(Encoder& encoder, Table table, std::string_view key, Overlay::Row const& row);

/// Goes through the rows of a table in two overlays as if they were one, in order of key; the
/// deleted ones too.
class OverlayCursor {
 public:
  /// From `first` on. `newer` hides `older`, which may be null.
  OverlayCursor(Overlay const& newer, Overlay const* older, Table table, std::string_view first);
  /// The row that it is at; null behind the last one.
  [[nodiscard]] Overlay::Rows::value_type const* At() const;
  void Next();

 private:
  struct Range {
    Overlay::Rows::const_iterator at;
    Overlay::Rows::const_iterator end;
  };
  static Range RangeOf(Overlay const* overlay, Table table, std::string_view first);
  Range newer_;
  Range older_;
};

}  // namespace tusfs
