// Finds words of a dictionary in text, however the text spells them: as they are, percent-encoded
// as in URLs, or with the escapes of JSON and of Printable. Any bytes will do, of words and text.
//
// A value of one thread. Words are added first, then sorted, then looked for: each look costs a
// binary search for each byte of the longest word that begins there.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tusfs {

class WordMatcher {
 public:
  /// An empty word is none; of words that are added twice the first one counts.
  void Add(std::string word, std::string replacement);
  /// To be called after the last Add.
  void Sort();

  struct Match {
    std::size_t size = 0;  ///< bytes of the text
    std::string_view replacement;
  };
  /// The longest word that the text has at `at`. A short one (up to 5 bytes) does not count in the
  /// middle of a word of letters and digits: "mov" is not in "movie".
  [[nodiscard]] std::optional<Match> Find(std::string_view text, std::size_t at) const;

 private:
  enum class Spelling { kPlain, kPercent, kEscaped };
  [[nodiscard]] std::optional<Match> Find(std::string_view text, std::size_t at,
                                          Spelling spelling) const;

  std::vector<std::pair<std::string, std::string>> words_;
};

}  // namespace tusfs
