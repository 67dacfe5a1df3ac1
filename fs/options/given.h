// What was given where, and all that is wrong with it: what --check-config tells, and what a mount
// is refused for.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "options/options.h"
#include "options/settings.h"

namespace tusfs {

/// Places of what stands there; all others are in a file.
inline constexpr char const* kCommandLine = "command line";
inline constexpr char const* kDashO = "-o";

/// The words of a sentence, URLs among them without what is secret.
[[nodiscard]] std::string WithoutSecrets(std::string const& sentence);

class Given {
 public:
  /// Sets `setting` to `value`, and remembers `place`: "rig.toml:3", "-o", "command line". `spelt`
  /// heads the sentence of a mistake: the name as it was written there, with its place if that is a
  /// file.
  void Set(Options& options, Setting const& setting, std::string const& value,
           std::string const& place, std::string const& spelt);

  /// The value of `name`, a setting, "url" or "mountpoint", is from `place`.
  void Note(std::string const& name, std::string const& place) { places_[name] = place; }

  /// `sentence` may have a secret; what is kept has none.
  void AddMistake(std::string const& sentence) { mistakes_.push_back(WithoutSecrets(sentence)); }

  /// Of a list all places that added to it, of everything else the one that won. Empty: nobody gave
  /// it.
  [[nodiscard]] std::string PlaceOf(std::string const& name) const;

  /// How a sentence about it begins: with its place where that is a file, and as that spells it.
  [[nodiscard]] std::string SpeltAs(std::string const& name) const;

  /// A mistake of several settings, each "--NAME" in the sentence: it is headed by the places that
  /// they have in files.
  void AddCommonMistake(std::string const& sentence);

  /// One sentence each, in the order in which they were found.
  [[nodiscard]] std::vector<std::string> const& mistakes() const { return mistakes_; }

 private:
  std::map<std::string, std::string> places_;
  std::vector<std::string> mistakes_;
};

}  // namespace tusfs
