// The manual page and --help have what the table of settings has.
#include <gmock/gmock.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "options/command_line.h"
#include "options/settings.h"

namespace tusfs {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// About the command line itself.
std::set<std::string> const kNoSettings{"config", "check-config", "foreground", "help", "version"};

/// "*off*" and "$XDG\_STATE\_HOME" as a reader sees them.
std::string WithoutMarkup(std::string const& line) {
  std::string text;
  for (std::size_t at = 0; at < line.size(); ++at) {
    bool const is_inside_word = at > 0 && at + 1 < line.size() && std::isalnum(line[at - 1]) != 0 &&
                                std::isalnum(line[at + 1]) != 0;
    if (line[at] == '\\' && at + 1 < line.size()) {
      text += line[++at];
    } else if (line[at] == '*' || (line[at] == '_' && !is_inside_word)) {
      continue;
    } else {
      text += line[at];
    }
  }
  return text;
}

/// Of the section OPTIONS: by option what heads its paragraph, and the paragraph in one line.
struct Described {
  std::string head;
  std::string text;
};

class Manual : public testing::Test {
 protected:
  void SetUp() override {
    std::ifstream page(TUSFS_MANUAL);
    ASSERT_TRUE(page) << TUSFS_MANUAL;
    bool in_options = false;
    std::vector<std::string> names;
    for (std::string line; std::getline(page, line);) {
      if (line.starts_with("# ")) in_options = line == "# OPTIONS";
      if (!in_options) continue;
      if (line.starts_with("*-")) names = Begin(WithoutMarkup(line));
      if (!line.starts_with("\t")) continue;
      for (auto const& name : names) entries_[name].text += WithoutMarkup(line.substr(1)) + " ";
    }
    ASSERT_GT(entries_.size(), 40U);
  }

  std::vector<std::string> Begin(std::string const& head) {
    std::vector<std::string> names;
    for (auto at = head.find("--"); at != std::string::npos; at = head.find("--", at + 1)) {
      auto const end = head.find_first_of(" ,", at);
      auto const name = head.substr(at + 2, end == std::string::npos ? end : end - at - 2);
      names.push_back(name);
      entries_[name].head = head;
    }
    return names;
  }

  static std::string Help() {
    char const* const argv[] = {"tusfs", "--help"};
    return ParseCommandLine(2, argv).output;
  }

  std::map<std::string, Described> entries_;
};

TEST_F(Manual, HasEverySettingAndNoOther) {
  for (auto const& setting : Settings()) {
    ASSERT_TRUE(entries_.contains(setting.name)) << setting.name;
    EXPECT_THAT(entries_[setting.name].head,
                HasSubstr(std::string("--") + setting.name +
                          (setting.metavar[0] == '\0' ? "" : std::string(" ") + setting.metavar)));
  }
  for (auto const& [name, entry] : entries_) {
    EXPECT_TRUE(FindSetting(name) != nullptr || kNoSettings.contains(name)) << name;
  }
}

TEST_F(Manual, SaysTheDefaultOfTheTable) {
  std::string const introduction = "Default: ";
  for (auto const& setting : Settings()) {
    auto const& text = entries_[setting.name].text;
    auto const at = text.find(introduction);
    EXPECT_EQ(at != std::string::npos, !setting.by_default.empty()) << setting.name;
    if (at == std::string::npos) continue;
    auto const said = text.substr(at + introduction.size());
    EXPECT_THAT(said, StartsWith(setting.by_default)) << setting.name;
    EXPECT_THAT(said.substr(std::min(said.size(), setting.by_default.size()), 1),
                testing::AnyOf(".", ",", ";", " "))
        << setting.name << ": " << said;
  }
}

TEST_F(Manual, HasEveryWordThatASettingTakes) {
  for (auto const& setting : Settings()) {
    for (auto const& word : setting.words) {
      std::ifstream page(TUSFS_MANUAL);
      std::ostringstream all;
      all << page.rdbuf();
      bool const is_preset = std::string(setting.name) == "preset";
      EXPECT_THAT(is_preset ? all.str() : entries_[setting.name].text, HasSubstr(word))
          << setting.name;
    }
  }
}

TEST_F(Manual, HasThePatternsThatAreIgnored) {
  std::ifstream page(TUSFS_MANUAL);
  std::string text;
  for (std::string line; std::getline(page, line);) text += WithoutMarkup(line) + "\n";
  for (auto const& pattern : DefaultIgnored()) EXPECT_THAT(text, HasSubstr(pattern));
}

TEST_F(Manual, HelpSaysTheSame) {
  std::istringstream lines(Help());
  std::map<std::string, std::string> help;
  for (std::string line; std::getline(lines, line);) {
    auto const at = line.find("--");
    if (line.starts_with("  -") && at != std::string::npos) {
      help[line.substr(at + 2, line.find_first_of(" ,", at) - at - 2)] = line;
    }
  }
  for (auto const& setting : Settings()) {
    auto const& line = help[setting.name];
    EXPECT_THAT(line, HasSubstr(setting.help));
    if (!setting.by_default.empty()) {
      EXPECT_THAT(line, testing::EndsWith(" (default: " + setting.by_default + ")"));
    }
    for (auto const& word : setting.words) EXPECT_THAT(line, HasSubstr(word)) << setting.name;
  }
}

}  // namespace
}  // namespace tusfs
