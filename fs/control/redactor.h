// What of a report leaves the machine: names of files, of people and of the machine become tokens,
// the same for the same name in all of it; of URLs nothing stays that lets somebody in.
//
// A value of one thread. All that is there is learnt first (Learn…), then redacted: a name counts
// wherever it stands.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "control/word_matcher.h"

namespace tusfs {

/// By which the machine and its people could be known.
struct Identities {
  std::vector<std::string> hosts;  ///< without the domain, too
  std::vector<std::string> users;
  std::vector<std::string> homes;  ///< absolute paths
};

/// Those of this machine: its name, the people who may log in, and who runs this.
[[nodiscard]] Identities IdentitiesHere();

class Redactor {
 public:
  /// `with_names`: names of files stay; all else goes all the same.
  Redactor(Identities const& identities, bool with_names);

  /// A path beneath a mount; of what it is made each part is a name.
  void LearnPath(std::string_view path);
  /// A URL that may stay, without user, query and fragment: of all others only the server stays.
  void LearnEndpoint(std::string const& url);
  /// Names that a line of the log has in its quotes: path="…", 'the way there'.
  void LearnLogLine(std::string_view line);

  /// "dir-1/file-2.mov" of a path beneath a mount. The extension stays where it is one: up to five
  /// letters or digits.
  [[nodiscard]] std::string Path(std::string_view path);
  /// All that was learnt, wherever it stands.
  [[nodiscard]] std::string Text(std::string_view text);
  /// Only what is no name of a file: for texts that have none, where one could be a word of theirs.
  [[nodiscard]] std::string OwnText(std::string_view text);
  /// Text between double quotes alone: the rest of it is numbers and names of our own.
  [[nodiscard]] std::string Labels(std::string_view text);
  /// As Text; of a line whose quotes do not pair, for a name in them, the rest is left out.
  [[nodiscard]] std::string LogLine(std::string_view line);
  /// Strings, not members' names: those of a member "path" are paths.
  [[nodiscard]] nlohmann::json Json(nlohmann::json const& value);

 private:
  std::string const& TokenOf(std::string_view name, bool is_directory);
  void LearnQuoted(std::string_view quoted);
  std::string Replace(std::string_view text, bool with_files);
  std::string Url(std::string_view url);

  bool const with_names_;
  WordMatcher identities_;
  WordMatcher names_;
  bool is_sorted_ = true;  ///< names_
  std::map<std::string, std::string, std::less<>> tokens_;
  std::map<std::string, std::string>
      urls_;  ///< paths of URLs that do not stay, by what stands there
  std::set<std::string> endpoints_;
};

}  // namespace tusfs
