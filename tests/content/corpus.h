// Good files of every format that the programs of this machine can make.
#pragma once

#include <filesystem>
#include <ostream>
#include <string>
#include <vector>

namespace tusfs {

/// What the bytes of a file tell of a damage.
enum class Tells {
  kAlways,
  kNever,
  kPerhaps,  ///< it depends on where
};

struct Sample {
  char const* name;
  char const* program;  ///< that makes it
  /// For a shell, in a directory that has voice.wav, picture.ppm, text and noise; makes `name`.
  char const* made_by;
  Tells cut;     ///< it ends somewhere in its middle
  Tells hollow;  ///< its second half is zeros
  Tells hole;    ///< a tenth in its middle is zeros
};

inline void PrintTo(Sample const& sample, std::ostream* out) { *out << sample.name; }

[[nodiscard]] std::vector<Sample> const& Samples();

/// Runs what makes `sample` in `directory`, which Prepare has been called for. Returns its bytes;
/// empty where the program is not there. Fails the test where it cannot do it.
[[nodiscard]] std::string Make(Sample const& sample, std::filesystem::path const& directory);

/// Puts there what samples are made of.
void Prepare(std::filesystem::path const& directory);

}  // namespace tusfs
