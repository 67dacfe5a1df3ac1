// Good files of many programs: each passes; of its damages those are told that its format can tell;
// nothing that may become of it makes a judge read what is not there.
#include "corpus.h"

#include <gmock/gmock.h>

#include <array>
#include <map>
#include <random>

#include "memory_source.h"
#include "testing/files.h"

namespace tusfs {
namespace {

using testing::IsEmpty;

constexpr int kCuts = 20;
#ifdef TUSFS_SANITIZED
constexpr int kMutations = 2'000;
#else
constexpr int kMutations = 20'000;
#endif

class CorpusTest : public testing::TestWithParam<Sample> {
 protected:
  static std::filesystem::path const& Directory() {
    static tusfs_testing::TempDir const directory;
    static bool const is_prepared = (Prepare(directory.path()), true);
    static_cast<void>(is_prepared);
    return directory.path();
  }

  void SetUp() override {
    bytes_ = Make(GetParam(), Directory());
    ASSERT_FALSE(HasFailure());
    if (bytes_.empty()) {
      GTEST_SKIP() << "SKIPPED: there is no " << GetParam().program;
    }
  }

  void Expect(Tells tells, std::string const& damaged, std::string const& how) const {
    auto const why = WhyNot(damaged, GetParam().name);
    if (tells == Tells::kPerhaps) return;
    EXPECT_EQ(why.empty(), tells == Tells::kNever) << how << ": " << why;
  }

  std::string bytes_;
};

TEST_P(CorpusTest, AGoodFilePasses) { EXPECT_THAT(WhyNot(bytes_, GetParam().name), IsEmpty()); }

TEST_P(CorpusTest, ACutOneIsToldWhereItsFormatTells) {
  for (std::size_t i = 1; i <= kCuts; ++i) {
    auto const end = bytes_.size() * i / (kCuts + 1);
    Expect(GetParam().cut, bytes_.substr(0, end), "cut at " + std::to_string(end));
  }
}

TEST_P(CorpusTest, AHollowOneIsToldWhereItsFormatTells) {
  auto const half = bytes_.size() / 2;
  Expect(GetParam().hollow, bytes_.substr(0, half) + std::string(bytes_.size() - half, '\0'),
         "hollow from " + std::to_string(half));
  auto const hole = bytes_.size() / 10;
  auto damaged = bytes_;
  damaged.replace(half, hole, hole, '\0');
  Expect(GetParam().hole, damaged, "a hole at " + std::to_string(half));
}

/// Changes bytes here and there, mostly at the ends, where the judges look; or cuts the file.
void Mutate(std::string& bytes, std::mt19937_64& random) {
  constexpr std::array kTelling{'\0', '\1', '\x7f', '\x80', '\xff', '\xfe', '\x10', 'P'};
  auto const below = [&](std::size_t limit) { return limit == 0 ? 0 : random() % limit; };
  if (below(4) == 0) bytes.resize(below(bytes.size() + 1));
  for (auto changes = below(12); changes > 0 && !bytes.empty(); --changes) {
    auto const reach = std::size_t{1} << below(17);
    auto const near = below(std::min(reach, bytes.size()));
    auto const at = below(2) == 0 ? near : bytes.size() - 1 - near;
    auto const length = std::min(bytes.size() - at, std::size_t{1} << below(4));
    bool const at_random = below(2) == 0;
    for (std::size_t i = 0; i < length; ++i) {
      bytes[at + i] = at_random ? static_cast<char>(random()) : kTelling.at(below(8));
    }
  }
}

TEST_P(CorpusTest, NoMutationMakesAJudgeReadWhatIsNotThere) {
  std::mt19937_64 random(static_cast<unsigned char>(GetParam().name[0]));
  std::string mutated;
  for (int i = 0; i < kMutations && !HasFailure(); ++i) {
    mutated = bytes_;
    Mutate(mutated, random);
    static_cast<void>(WhyNot(mutated, GetParam().name));
  }
}

std::string NameOf(testing::TestParamInfo<Sample> const& info) {
  std::string name = info.param.name;
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(, CorpusTest, testing::ValuesIn(Samples()), NameOf);

}  // namespace
}  // namespace tusfs
