#include "catalog/check.h"

#include <cerrno>
#include <optional>
#include <string>

#include "base/text.h"
#include "catalog/codec.h"
#include "catalog/namespace.h"
#include "catalog/records.h"
#include "catalog/tables.h"

namespace tusfs {
namespace {

Uuid KeyUuid(std::string_view key) { return Decoder(key).Id(); }

/// Calls `check(key, value)` for each row until one fails.
template <typename Check>
Result<void> ForEach(View const& view, Table table, Check const& check) {
  Result<void> outcome;
  auto scanned = view.Scan(table, "", "", [&](std::string_view key, std::string_view value) {
    outcome = check(key, value);
    return outcome.has_value();
  });
  return scanned ? outcome : scanned;
}

template <typename Decode>
Result<void> CanBeRead(View const& view, Table table, Decode const& decode) {
  return ForEach(view, table, [&](std::string_view key, std::string_view value) -> Result<void> {
    auto const record = decode(key, value);
    if (!record) return Failure(record.error());
    return {};
  });
}

Result<void> CheckInode(View const& view, Inode const& inode) {
  if (inode.parent == 0) return {};  // the root, or open without a name
  auto const entry = FindEntry(view, inode.parent, inode.name);
  if (!entry) return Failure(entry.error());
  if (*entry && (*entry)->inode == inode.id) return {};
  return Fail(EUCLEAN,
              "inode " + std::to_string(inode.id) + " has a name that its directory has not");
}

Result<void> CheckName(View const& view, std::string_view key, std::string_view value) {
  auto const entry = DecodeEntry(value);
  if (!entry) return Failure(entry.error());
  auto const parent = KeyNumber(key);
  auto const wrong = [&](char const* what) {
    return Fail(EUCLEAN, "the name '" + Printable(std::string(key.substr(sizeof parent))) +
                             "' in directory " + std::to_string(parent) + " has " + what);
  };
  auto const inode = GetInode(view, entry->inode);
  if (!inode && inode.error().code == ENOENT) return wrong("no inode");
  if (!inode) return Failure(inode.error());
  if (inode->type != entry->type) return wrong("an inode of another type");
  auto const place = view.Get(Table::kEntries, Key(parent, entry->sequence));
  if (!place) return Failure(place.error());
  if (!*place) return wrong("no place in it");
  return {};
}

}  // namespace

Result<void> CheckCatalog(Store const& store) {
  if (auto read = store.ReadThrough(); !read) return read;
  return store.Read([](View const& view) -> Result<void> {
    auto checked = CanBeRead(view, Table::kHandles, [](auto key, auto value) {
      return DecodeHandle(KeyNumber(key), value);
    });
    if (checked) {
      checked = CanBeRead(view, Table::kUploads,
                          [](auto key, auto value) { return DecodeUpload(KeyUuid(key), value); });
    }
    if (checked) {
      checked = ForEach(view, Table::kInodes, [&](auto key, auto value) -> Result<void> {
        auto const inode = DecodeInode(KeyNumber(key), value);
        if (!inode) return Failure(inode.error());
        return CheckInode(view, *inode);
      });
    }
    if (checked) {
      checked = ForEach(view, Table::kNames,
                        [&](auto key, auto value) { return CheckName(view, key, value); });
    }
    return checked;
  });
}

}  // namespace tusfs
