#include "scenes.h"

#include <array>

namespace tusfs_life {
namespace {

/// More than a block of digests: what is before its end can be trimmed.
constexpr std::uint32_t kLargeScene = 4'500'000;
constexpr std::uint32_t kMedium = 30'000;

/// Names, by NameAt: final ones, and what others are renamed or linked from.
constexpr std::array<std::uint32_t, 4> kFinal{0, 1, 2, 3};
constexpr std::uint32_t kX = 3;
constexpr std::uint32_t kXPart = 4;

class Scene {
 public:
  explicit Scene(std::mt19937_64& random) : random_(random) {}

  std::uint32_t Below(std::uint32_t most) { return static_cast<std::uint32_t>(random_() % most); }
  std::uint32_t Name() { return kFinal[Below(kFinal.size())]; }

  void Do(Kind kind, std::uint32_t a = 0, std::uint32_t b = 0, std::uint32_t c = 0) {
    steps_.push_back({.kind = kind, .a = a, .b = b, .c = c});
  }
  /// Long enough for a file to settle and to be sent, or not quite.
  void Wait() {
    constexpr std::array kTimes{1'500U, 2'500U, 15'000U, 60'000U, 60'000U};
    Do(Kind::kWait, kTimes[Below(kTimes.size())]);
  }
  void Trouble(Mishap mishap) { Do(Kind::kServer, static_cast<std::uint32_t>(mishap), 1); }

  std::vector<Step> Take() { return std::move(steps_); }

 private:
  std::mt19937_64& random_;
  std::vector<Step> steps_;
};

/// The same file as before the last one.
void ThereAndBack(Scene& scene) {
  auto const name = scene.Name();
  for (std::uint32_t const content : {1U, 2U, 1U}) {
    scene.Do(Kind::kCopy, name, kMedium, content);
    scene.Wait();
  }
}

/// A long recording whose head has gone from the spool, and a server that says no in the middle.
void RefusedInTheMiddle(Scene& scene) {
  auto const program = scene.Below(3);
  auto const name = scene.Name();
  scene.Do(Kind::kBegin, program, name, 2 * kLargeScene);
  scene.Wait();
  scene.Do(Kind::kTrim, name);
  constexpr std::array kMishaps{Mishap::kRefuse, Mishap::kUnauthorized, Mishap::kNotFound,
                                Mishap::kConflict, Mishap::kForeign};
  scene.Trouble(kMishaps[scene.Below(kMishaps.size())]);
  scene.Do(Kind::kMore, program, 300'000);
  scene.Wait();
  scene.Do(Kind::kClose, program);
  scene.Wait();
  scene.Do(Kind::kRetry, name);
}

/// What was uploaded long ago gets another name.
void RenamedLater(Scene& scene) {
  auto const name = scene.Name();
  scene.Do(Kind::kCopy, name, kMedium, scene.Below(3));
  scene.Do(Kind::kWait, 60'000);
  scene.Do(Kind::kEvict, name);
  scene.Do(Kind::kRename, name, scene.Name());
  scene.Wait();
}

/// Thrown away while somebody has it open, and the machine stops.
void DiscardedWhileOpen(Scene& scene) {
  auto const name = scene.Name();
  scene.Do(Kind::kBegin, 0, name, kMedium);
  scene.Do(Kind::kLink, name, scene.Name());
  scene.Do(Kind::kDiscard, name);
  scene.Do(scene.Below(2) == 0 ? Kind::kKillAll : Kind::kUpgrade, 0, 0, 1);
}

/// It waits for the server, and somebody puts other bytes in its middle just before the power goes.
void RewrittenWhileItWaits(Scene& scene) {
  auto const name = scene.Name();
  scene.Do(Kind::kServerDown);
  scene.Do(Kind::kCopy, name, kMedium, scene.Below(3));
  scene.Wait();
  scene.Do(Kind::kRewrite, name, scene.Below(20'000), 5'000);
  scene.Do(Kind::kPowerCut, 0, 0, 1);
  scene.Do(Kind::kServerUp);
}

/// Its final name is one more name first.
void NamedByALink(Scene& scene) {
  scene.Do(Kind::kCopy, kXPart, kMedium, scene.Below(3));
  scene.Wait();
  if (scene.Below(2) == 0) {
    scene.Do(Kind::kLink, kXPart, kX);
    scene.Do(Kind::kUnlink, kXPart);
  } else {
    scene.Do(Kind::kLink, kXPart, kX);
    scene.Do(Kind::kCopy, scene.Name(), kMedium, 0);
    scene.Do(Kind::kRename, scene.Name(), kXPart);
  }
  scene.Wait();
}

/// More than the spool takes, by several at once: each of them about as much as fits beside a
/// third.
void MoreThanFits(Scene& scene) {
  constexpr std::array kSizes{900'000U, 1'100'000U, 1'120'000U};
  scene.Do(Kind::kWait, 60'000);
  scene.Do(Kind::kReclaim);
  scene.Do(Kind::kServerDown);
  scene.Do(Kind::kCopiesAtOnce, scene.Below(4), kSizes[scene.Below(kSizes.size())]);
  scene.Do(Kind::kServerUp);
  scene.Wait();
  scene.Do(Kind::kCopiesAtOnce, scene.Below(4), 900'000);
}

}  // namespace

std::vector<Step> MakeScene(std::mt19937_64& random) {
  constexpr std::array kScenes{ThereAndBack,       RefusedInTheMiddle,    RenamedLater,
                               DiscardedWhileOpen, RewrittenWhileItWaits, NamedByALink,
                               MoreThanFits};
  Scene scene(random);
  kScenes[scene.Below(kScenes.size())](scene);
  return scene.Take();
}

}  // namespace tusfs_life
