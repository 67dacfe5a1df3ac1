// A file that is overwritten, changed, renamed or removed at every stage of its upload: whatever
// the server has finished in the end is a file as it was finished, once.
#include <array>
#include <charconv>

#include "programs/programs_test.h"

namespace tusfs_testing {
namespace {

namespace fs = std::filesystem;
using ::testing::AnyOf;
using ::testing::IsEmpty;

constexpr std::uint64_t kSize = 4 * kMiB;

enum class Stage { kNothingSent, kPatchOpen, kBetweenPatches, kFinalPatchOpen, kPublished };

std::string Name(Stage stage) {
  constexpr std::array kNames{"nothing sent yet", "a PATCH is open", "between two PATCHes",
                              "the final PATCH is open", "published"};
  return kNames[static_cast<std::size_t>(stage)];
}

// What becomes of the upload that there was.
std::string const kContinued = "continued";
std::string const kRestarted = "restarted";
std::string const kTerminated = "terminated";
std::string const kStays = "stays published";
std::string const kAnother = "stays, another is published";

struct Change {
  std::string name;
  std::string script;  // "$1" the file, "$2" another one
  std::function<std::string(std::string const&)> effect{};
  /// By stage; two words: either.
  std::array<std::vector<std::string>, 5> ends;
};

std::string Another() { return RandomBytes(2 * kMiB + kMiB / 2, 99); }

std::vector<Change> Changes() {
  using Bytes = std::string const&;
  std::vector<std::string> const go_on{kContinued};
  std::vector<std::string> const restart{kRestarted};
  std::vector<std::string> const either{kContinued, kRestarted};
  std::vector<std::string> const another{kAnother};
  return {
      {"overwritten by cp",
       "cp \"$2\" \"$1\"",
       [](Bytes) { return Another(); },
       {restart, restart, restart, restart, another}},
      {"changed at its head",
       "printf HEAD | dd of=\"$1\" conv=notrunc status=none",
       [](Bytes old) { return "HEAD" + old.substr(4); },
       {go_on, restart, restart, restart, another}},
      {"changed at its end",
       "printf TAIL | dd of=\"$1\" seek=1048575 bs=4 conv=notrunc status=none",
       [](Bytes old) { return old.substr(0, kSize - 4) + "TAIL"; },
       {go_on, go_on, go_on, either, another}},
      {"appended to",
       "cat \"$2\" >>\"$1\"",
       [](Bytes old) { return old + Another(); },
       {go_on, go_on, go_on, restart, another}},
      {"cut below what was sent",
       "truncate -s 500000 \"$1\"",
       [](Bytes old) { return old.substr(0, 500'000); },
       {go_on, restart, restart, restart, another}},
      {"renamed",
       "mv \"$1\" \"$1.moved\"",
       [](Bytes old) { return old; },
       // Once the request that publishes is out, a second one would publish it twice.
       {restart, restart, restart, go_on, {kStays}}},
      {"removed",
       "rm \"$1\"",
       {},
       {{{kTerminated}, {kTerminated}, {kTerminated}, {kTerminated}, {kStays}}}},
  };
}

class StagesTest : public ProgramsTest {
 protected:
  void SetUp() override {
    ProgramsTest::SetUp();
    if (IsSkipped()) return;
    // What lost its file goes at once; an answer that came late is asked for soon.
    Mount({"--adopt-timeout", "0"});
    WriteFile(dir_ / "another", Another());
  }

  static std::uint64_t Number(RequestFacts const& facts, char const* header) {
    auto const text = facts.exchange->Header(header).value_or("");
    std::uint64_t number = 0;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number;
  }

  /// Copies the file and holds its upload at the stage.
  void Reach(Stage stage, fs::path const& source, std::string const& name) {
    auto const is_at = [](std::uint64_t offset) {
      return
          [offset](RequestFacts const& facts) { return Number(facts, "Upload-Offset") == offset; };
    };
    auto const is_final = [](RequestFacts const& facts) {
      return Number(facts, "Upload-Offset") + Number(facts, "Content-Length") == kSize;
    };
    auto const stall = Fault::StallUntilReleased(100'000);
    switch (stage) {
      case Stage::kNothingSent:
        server().AddFault({.method = "POST", .action = Fault::StallUntilReleased()});
        break;
      case Stage::kPatchOpen:
        server().AddFault({.method = "PATCH", .matches = is_at(kMiB), .action = stall});
        break;
      case Stage::kBetweenPatches:
        server().AddFault({.method = "PATCH",
                           .matches = is_at(2 * kMiB),
                           .action = Fault::Answer(503, "", {{"Retry-After", "1"}})});
        break;
      case Stage::kFinalPatchOpen:
        server().AddFault({.method = "PATCH", .matches = is_final, .action = stall});
        break;
      case Stage::kPublished:
        break;
    }
    auto const before = server().Requests().size();
    Run({"cp", source, In(name)});
    if (stage == Stage::kPublished) {
      ASSERT_TRUE(WaitFor([&] { return mount_->State(name) == "uploaded"; }));
    } else if (stage == Stage::kBetweenPatches) {
      ASSERT_TRUE(WaitFor([&] {
        auto const requests = server().Requests();
        return std::any_of(requests.begin() + static_cast<std::ptrdiff_t>(before), requests.end(),
                           [](auto const& request) { return request.status == 503; });
      }));
    } else {
      ASSERT_TRUE(WaitFor([&] { return server().Stalled() == 1; }));
    }
  }

  /// What the server has of this file, whichever of its names it was declared under.
  std::vector<UploadView> UploadsOf(std::string const& name) {
    std::vector<UploadView> uploads;
    for (auto& upload : server().Uploads()) {
      if (upload.Metadata("filename").starts_with(name)) uploads.push_back(std::move(upload));
    }
    return uploads;
  }

  void Try(Stage stage, Change const& change, std::string const& name);
};

void StagesTest::Try(Stage stage, Change const& change, std::string const& name) {
  auto const source = Source(name, kSize);
  auto const old = ReadFile(source);
  bool const removed = !change.effect;
  auto const expected = removed ? "" : change.effect(old);
  CountFromHere();
  auto const declared_before = DeclaredNames().size();
  Reach(stage, source, name);
  Shell(change.script, {In(name), dir_ / "another"});
  auto const& ends = change.ends[static_cast<std::size_t>(stage)];
  bool const may_be_published =
      std::ranges::any_of(ends, [](auto const& end) { return end == kContinued || end == kStays; });
  if (stage == Stage::kFinalPatchOpen && !may_be_published) {
    // Let go on before it is cut, it would be complete before anybody can give it up.
    EXPECT_TRUE(WaitFor([&] { return server().Stalled() == 0; }));
  }
  server().ReleaseStalled();
  server().ClearFaults();

  bool const moved = change.name == "renamed";
  auto const end = name + (moved ? ".moved" : "");
  if (removed) {
    EXPECT_TRUE(
        WaitFor([&] { return UploadsOf(name).size() == (stage == Stage::kPublished ? 1U : 0U); }));
  } else {
    EXPECT_EQ(TusfsCtl({"wait", "--timeout", "20", In(end)}).code, 0) << mount_->Listed(end);
    EXPECT_TRUE(ReadFile(In(end)) == expected);
  }
  EXPECT_TRUE(WaitFor([&] {
    return std::ranges::all_of(UploadsOf(name), [](auto const& upload) { return upload.complete; });
  })) << "an unfinished upload is left";

  // Never mixed bytes, and the last one is the file.
  auto const uploads = UploadsOf(name);
  for (auto const& upload : uploads) {
    auto const content = server().Content(upload.id);
    EXPECT_TRUE(content == expected || (stage == Stage::kPublished && content == old))
        << "published is what the file never was";
  }
  if (!removed && !uploads.empty()) {
    EXPECT_TRUE(server().Content(uploads.back().id) == expected);
  }
  std::string outcome = kTerminated;
  if (stage == Stage::kPublished) {
    outcome = uploads.size() == 1 ? kStays : kAnother;
  } else if (!removed) {
    outcome = DeclaredNames().size() == declared_before + 1 ? kContinued : kRestarted;
  }
  EXPECT_EQ(PublishedSince(), outcome == kTerminated ? 0 : outcome == kAnother ? 2 : 1);
  EXPECT_THAT(ends, ::testing::Contains(outcome));
  AddRow(Name(stage) + ": " + change.name, outcome, removed ? kSize : expected.size());
}

class EveryStageTest : public StagesTest, public ::testing::WithParamInterface<Stage> {};

TEST_P(EveryStageTest, WhateverIsDoneToTheFileTheServerEndsWithIt) {
  int number = 0;
  for (auto const& change : Changes()) {
    SCOPED_TRACE(change.name);
    ASSERT_NO_FATAL_FAILURE(Try(GetParam(), change, "file" + std::to_string(++number)));
  }
  EXPECT_EQ(server().Stats().overlapping_patches, 0);
  EXPECT_EQ(server().Stats().heads_during_patch, 0);
}

INSTANTIATE_TEST_SUITE_P(Stages, EveryStageTest,
                         ::testing::Values(Stage::kNothingSent, Stage::kPatchOpen,
                                           Stage::kBetweenPatches, Stage::kFinalPatchOpen,
                                           Stage::kPublished),
                         [](auto const& parameter) {
                           auto name = Name(parameter.param);
                           std::erase(name, ' ');
                           return name;
                         });

}  // namespace
}  // namespace tusfs_testing
