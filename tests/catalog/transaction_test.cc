// Transaction: that a decision sees the tables as they will be, whatever it has changed already.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "catalog/store_harness.h"

namespace tusfs {
namespace {

using tusfs_testing::TempDir;
using Rows = std::vector<std::pair<std::string, std::string>>;

class TransactionTest : public testing::Test {
 protected:
  static Rows ScanAll(View const& view, std::string_view prefix = "", std::string_view first = "",
                      std::size_t most = 1000, Table table = Table::kNames) {
    Rows rows;
    auto const scanned =
        view.Scan(table, prefix, first, [&](std::string_view key, std::string_view value) {
          rows.emplace_back(key, value);
          return rows.size() < most;
        });
    EXPECT_TRUE(Ok(scanned));
    return rows;
  }

  TempDir const dir_;
  std::unique_ptr<Store> const store_ = OpenStore(dir_ / "catalog", OnlyWhenAsked());
};

TEST_F(TransactionTest, AScanSeesWhatWasPutReplacedAndDeletedBeforeIt) {
  for (auto const* key : {"b", "c", "d"}) ASSERT_TRUE(Ok(Put(*store_, key, "old")));
  auto const seen = store_->Update([](Transaction& transaction) -> Result<Rows> {
    transaction.Put(Table::kNames, "a", "new");
    transaction.Put(Table::kNames, "c", "new");
    transaction.Delete(Table::kNames, "d");
    transaction.Put(Table::kNames, "e", "new");
    transaction.Put(Table::kInodes, "c", "of another table");
    return ScanAll(transaction);
  });
  Rows const expected{{"a", "new"}, {"b", "old"}, {"c", "new"}, {"e", "new"}};
  EXPECT_EQ(seen, expected);
}

TEST_F(TransactionTest, WhatAScanChangesItselfIsSeenByTheNextOne) {
  for (auto const* key : {"a", "b", "c"}) ASSERT_TRUE(Ok(Put(*store_, key, "old")));
  auto const left = store_->Update([](Transaction& transaction) -> Result<Rows> {
    transaction.Put(Table::kNames, "aa", "new");
    auto const scanned =
        transaction.Scan(Table::kNames, "", "", [&](std::string_view key, std::string_view) {
          transaction.Delete(Table::kNames, std::string(key));
          transaction.Put(Table::kNames, std::string(key) + "z", "moved");
          return true;
        });
    EXPECT_TRUE(Ok(scanned));
    return ScanAll(transaction);
  });
  Rows const expected{{"aaz", "moved"}, {"az", "moved"}, {"bz", "moved"}, {"cz", "moved"}};
  EXPECT_EQ(left, expected);
}

// Against a map in memory: any rows before, any changes, any place to begin at.
TEST_F(TransactionTest, EveryScanIsThatOfAMapWithTheSameChanges) {
  std::mt19937 random(20);
  auto const draw = [&](unsigned below) { return static_cast<unsigned>(random() % below); };
  auto const draw_key = [&] {
    std::string key;
    // Few letters, and one that is negative as a char, so that keys meet and begin alike.
    for (auto length = 1 + draw(3); length > 0; --length) key += "ab\xff"[draw(3)];
    return key;
  };
  std::map<std::string, std::string> model;
  for (int round = 0; round < 400; ++round) {
    auto const compared = store_->Update([&](Transaction& transaction) -> Result<void> {
      for (int change = 0; change < 12; ++change) {
        auto const key = draw_key();
        if (draw(2) == 0) {
          transaction.Delete(Table::kNames, key);
          model.erase(key);
        } else {
          auto const value = std::to_string(round) + "." + std::to_string(change);
          transaction.Put(Table::kNames, key, value);
          model[key] = value;
        }
        auto const prefix = draw_key().substr(0, draw(3));
        auto const first = draw(2) == 0 ? std::string() : prefix + draw_key().substr(0, draw(3));
        auto const most = 1 + draw(6);
        Rows expected;
        for (auto at = model.lower_bound(std::max(prefix, first)); at != model.end(); ++at) {
          if (!at->first.starts_with(prefix) || expected.size() == most) break;
          expected.push_back(*at);
        }
        EXPECT_EQ(ScanAll(transaction, prefix, first, most), expected)
            << "prefix " << prefix << ", from " << first;
      }
      return {};
    });
    ASSERT_TRUE(Ok(compared));
    ASSERT_FALSE(HasFailure());
  }
  EXPECT_EQ(store_->Read([](View const& view) { return Result<Rows>(ScanAll(view)); }),
            Rows(model.begin(), model.end()));
}

}  // namespace
}  // namespace tusfs
