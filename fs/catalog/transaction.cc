// Transaction: what a decision sees of the tables while it is being made, its own changes included.
#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "catalog/store.h"

namespace tusfs {

Result<std::optional<std::string>> Transaction::Get(Table table, std::string_view key) const {
  auto const mine = std::find_if(changes_.rbegin(), changes_.rend(), [&](Change const& change) {
    return change.table == table && change.key == key;
  });
  if (mine != changes_.rend()) return mine->value;
  return View::Get(table, key);
}

Result<void> Transaction::Scan(
    Table table, std::string_view prefix, std::string_view first,
    std::function<bool(std::string_view, std::string_view)> const& visit) const {
  // A copy, since `visit` may add changes; the last one of a key counts.
  std::map<std::string, std::optional<std::string>, std::less<>> mine;
  auto const begin = std::max(prefix, first);
  for (auto const& change : changes_) {
    bool const is_meant =
        change.table == table && change.key.starts_with(prefix) && change.key >= begin;
    if (is_meant) mine.insert_or_assign(change.key, change.value);
  }
  if (mine.empty()) return View::Scan(table, prefix, first, visit);
  auto next = mine.begin();
  bool goes_on = true;
  auto const visit_next = [&] {
    auto const& [key, value] = *next;
    if (value) goes_on = visit(key, *value);
    ++next;
  };
  auto scanned =
      View::Scan(table, prefix, first, [&](std::string_view key, std::string_view value) {
        while (goes_on && next != mine.end() && next->first < key) visit_next();
        if (!goes_on) return false;
        if (next != mine.end() && next->first == key) {
          visit_next();
        } else {
          goes_on = visit(key, value);
        }
        return goes_on;
      });
  if (!scanned) return scanned;
  while (goes_on && next != mine.end()) visit_next();
  return {};
}

std::set<std::string> Transaction::PutInto(Table table) const {
  std::set<std::string> keys;
  for (auto const& change : changes_) {
    if (change.table == table && change.value) keys.insert(change.key);
  }
  return keys;
}

void Transaction::Put(Table table, std::string key, std::string value) {
  changes_.push_back({table, std::move(key), std::move(value)});
}

void Transaction::Delete(Table table, std::string key) {
  changes_.push_back({table, std::move(key), std::nullopt});
}

}  // namespace tusfs
