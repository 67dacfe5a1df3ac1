// Parts of an upload: where they begin, and their rows.
#include "catalog/parts.h"

#include <gmock/gmock.h>

#include "catalog/adoptable.h"
#include "catalog/life.h"
#include "catalog/store_harness.h"
#include "catalog/tables.h"

namespace tusfs {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::uint64_t kSize = kDigestBlock;
constexpr std::uint64_t kTiB = std::uint64_t{1} << 40;

// ---- where they begin

TEST(PartGrid, EightOfEachSizeFollowEachOtherWithoutAGap) {
  std::uint64_t end = 0;
  for (std::size_t index = 0; index < 96; ++index) {
    auto const part = GridPart(kSize, index);
    EXPECT_EQ(part.begin, end) << index;
    EXPECT_EQ(part.end - part.begin, kSize << (index / 8)) << index;
    EXPECT_EQ(part.begin % kDigestBlock, 0U) << index;
    end = part.end;
  }
}

TEST(PartGrid, AFilesPartsEndWithIt) {
  EXPECT_THAT(LayOut(kSize, 24, 1), ElementsAre(ByteRange{0, 1}));
  EXPECT_THAT(LayOut(kSize, 24, kSize), ElementsAre(ByteRange{0, kSize}));
  EXPECT_THAT(LayOut(kSize, 24, kSize + 1),
              ElementsAre(ByteRange{0, kSize}, ByteRange{kSize, kSize + 1}));
}

TEST(PartGrid, NoFileIsTooLarge) {
  for (auto const size : {10 * kSize, kTiB, 8 * kTiB}) {
    for (std::size_t const most : {1U, 2U, 24U, 96U}) {
      auto const layout = LayOut(kSize, most, size);
      EXPECT_LE(layout.size(), most);
      EXPECT_EQ(layout.back().end, size);
      for (std::size_t at = 1; at < layout.size(); ++at) {
        EXPECT_EQ(layout[at].begin, layout[at - 1].end);
      }
    }
  }
}

TEST(PartGrid, AsManyAsTheHeaderHolds) {
  EXPECT_EQ(MostParts(39), 96U);
  EXPECT_EQ(MostParts(200), 20U);
  EXPECT_EQ(6 + MostParts(200) * 201 <= 4096, true);
  EXPECT_EQ(MostParts(2044), 2U);
  EXPECT_EQ(MostParts(2045), 0U) << "one alone is no gain";
}

// ---- rows

class Parts : public testing::Test {
 protected:
  Parts() {
    whole_.id = Uuid::Random();
    whole_.owner = 2;
    whole_.path = "a";
    whole_.part_size = kSize;
    whole_.created = 1;
    life::GoInParts(whole_);
    Change([&](Transaction& t) { PutUpload(t, whole_); });
  }

  void Change(std::function<void(Transaction&)> const& change) {
    EXPECT_TRUE(Ok(store_->Update([&](Transaction& t) -> Result<void> {
      change(t);
      return {};
    })));
  }
  Upload Add(std::uint64_t begin, std::uint64_t length, std::uint64_t offset,
             std::string const& url = "http://tus/1") {
    Upload part;
    part.id = Uuid::Random();
    part.owner = 2;
    part.whole = whole_.id;
    part.begin = begin;
    part.length = length;
    part.offset = part.sent = offset;
    part.frontier = offset;
    part.url = url;
    part.phase = url.empty() ? UploadPhase::kIntent : UploadPhase::kCreated;
    Change([&](Transaction& t) {
      PutPart(t, part);
      for (std::uint64_t at = 0; at < offset; at += kDigestBlock) {
        BlockDigest digest{
            .length = static_cast<std::uint32_t>(std::min(kDigestBlock, offset - at)),
            .digest = {}};
        digest.digest.fill(static_cast<std::uint8_t>((begin + at) / kDigestBlock + 1));
        EXPECT_TRUE(Ok(PutDigests(t, part.id, at / kDigestBlock, std::span(&digest, 1))));
      }
    });
    return part;
  }
  [[nodiscard]] std::vector<Upload> Listed() const {
    return store_->Read([&](View const& view) { return ListParts(view, whole_.id); }).value();
  }
  [[nodiscard]] std::uint64_t Confirmed() const {
    return store_->Read([&](View const& view) { return ConfirmedInParts(view, whole_.id); })
        .value();
  }
  [[nodiscard]] std::size_t Rows(enum Table table) const {
    std::size_t rows = 0;
    EXPECT_TRUE(Ok(store_->Read([&](View const& view) {
      return view.Scan(table, "", "", [&](std::string_view, std::string_view) {
        ++rows;
        return true;
      });
    })));
    return rows;
  }
  std::optional<Uuid> Detach() {
    std::optional<Uuid> ownerless;
    Change([&](Transaction& t) {
      Inode inode;
      inode.id = 2;
      inode.upload = whole_.id;
      ownerless = DetachUpload(t, inode).value();
    });
    return ownerless;
  }

  tusfs_testing::TempDir const dir_;
  std::unique_ptr<Store> store_ = OpenStore(dir_ / "catalog");
  Upload whole_;
};

TEST_F(Parts, AreListedInTheOrderOfTheFile) {
  Add(300 * kSize, 1, 0);
  Add(kSize, kSize, 0);
  Add(0, kSize, 0);
  auto const parts = Listed();
  ASSERT_THAT(parts, SizeIs(3));
  EXPECT_EQ(parts[0].begin, 0U);
  EXPECT_EQ(parts[1].begin, kSize);
  EXPECT_EQ(parts[2].begin, 300 * kSize);
}

TEST_F(Parts, CountAsConfirmedAllOfThem) {
  EXPECT_EQ(Confirmed(), 0U);
  Add(kSize, kSize, kSize);
  EXPECT_EQ(Confirmed(), kSize) << "a gap before it is another part's";
  Add(0, kSize, kSize);
  Add(2 * kSize, kSize, 7);
  Add(3 * kSize, kSize, kSize);
  EXPECT_EQ(Confirmed(), 3 * kSize + 7);
}

TEST_F(Parts, AreOneUploadWhenTheyAreJoined) {
  Add(0, kSize, kSize);
  Add(kSize, 5, 5);
  std::vector<Uuid> ended;
  Change([&](Transaction& t) {
    ended = JoinParts(t, whole_, false).value();
    PutUpload(t, whole_);
  });
  EXPECT_THAT(ended, IsEmpty());
  EXPECT_THAT(Listed(), IsEmpty());
  EXPECT_EQ(Rows(Table::kUploads), 1U);
  EXPECT_EQ(Rows(Table::kParts), 0U);
  EXPECT_EQ(Rows(Table::kDigests), 1U);
  EXPECT_FALSE(whole_.HasParts());
  EXPECT_EQ(whole_.sent, kSize + 5);
  auto const digests =
      store_->Read([&](View const& view) { return ListDigests(view, whole_.id); }).value();
  ASSERT_THAT(digests, SizeIs(2));
  EXPECT_EQ(digests[0].digest[0], 1);
  EXPECT_EQ(digests[1].digest[0], 2);
  EXPECT_EQ(digests[1].length, 5U);
}

TEST_F(Parts, AreOwnerlessWhenTheyAreToEndAfterTheyWereJoined) {
  auto const part = Add(0, kSize, kSize);
  std::vector<Uuid> ended;
  Change([&](Transaction& t) { ended = JoinParts(t, whole_, true).value(); });
  EXPECT_THAT(ended, ElementsAre(part.id));
  auto const ownerless = store_->Read([](View const& view) { return ListOwnerless(view); });
  EXPECT_THAT(ownerless.value(), ElementsAre(part.id));
  EXPECT_EQ(Rows(Table::kParts), 0U);
}

TEST_F(Parts, OneThatIsTakenAwayIsEndedWhereItWasMade) {
  auto const made = Add(0, kSize, kSize);
  auto const meant = Add(kSize, kSize, 0, "");
  Change([&](Transaction& t) {
    EXPECT_EQ(TakeAwayPart(t, whole_, made).value(), made.id);
    EXPECT_EQ(TakeAwayPart(t, whole_, meant).value(), std::nullopt);
  });
  EXPECT_THAT(Listed(), IsEmpty());
  EXPECT_EQ(Rows(Table::kUploads), 2U) << "the whole, and what is to be ended";
}

TEST_F(Parts, StayWithAWholeThatLostItsFile) {
  Add(0, kSize, kSize);
  EXPECT_EQ(Detach(), whole_.id);
  EXPECT_THAT(Listed(), SizeIs(1));
  auto const found =
      store_->Read([](View const& view) { return ListAdoptable(view, "a"); }).value();
  EXPECT_THAT(found, SizeIs(1));
  std::vector<Uuid> ended;
  Change([&](Transaction& t) { ended = DissolveParts(t, whole_).value(); });
  EXPECT_THAT(ended, SizeIs(1));
  EXPECT_EQ(Rows(Table::kParts), 0U);
  EXPECT_EQ(Rows(Table::kUploads), 1U);
}

TEST_F(Parts, GoWithAWholeOfWhichNothingWasMade) {
  Add(0, kSize, 0, "");
  EXPECT_EQ(Detach(), std::nullopt);
  EXPECT_EQ(Rows(Table::kUploads), 0U);
  EXPECT_EQ(Rows(Table::kParts), 0U);
}

TEST_F(Parts, OfAWholeThatMayBeJoinedAreLeftToTheServer) {
  for (bool const lost : {false, true}) {
    if (lost) {
      whole_.lost_an_end = true;
      life::GoInParts(whole_);
    } else {
      life::SendEnd(whole_);
    }
    Change([&](Transaction& t) { PutUpload(t, whole_); });
    Add(0, kSize, kSize);
    EXPECT_EQ(Detach(), std::nullopt);
    EXPECT_EQ(Rows(Table::kUploads), 0U);
    EXPECT_EQ(Rows(Table::kOwnerless), 0U);
  }
}

}  // namespace
}  // namespace tusfs
