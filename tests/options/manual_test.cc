// The manual pages and --help have what the table of settings has.
#include <gmock/gmock.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "options/command_line.h"
#include "options/config_file.h"
#include "options/rule_keys.h"
#include "options/settings.h"
#include "options/toml_values.h"
#include "testing/files.h"

namespace tusfs {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

// About the command line itself.
std::set<std::string> const kNoSettings{"config", "check-config", "dry-run", "foreground",
                                        "help",   "move-to",      "version"};

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

// ---- tusfs.toml(5)

class FileManual : public testing::Test {
 protected:
  void SetUp() override {
    std::ifstream page(TUSFS_FILE_MANUAL);
    ASSERT_TRUE(page) << TUSFS_FILE_MANUAL;
    std::string key;
    bool is_of_rules = false;
    for (std::string line; std::getline(page, line);) {
      if (line.starts_with("# ")) is_of_rules = line == "# RULES";
      if (line.starts_with("*") && line.ends_with("*")) key = WithoutMarkup(line);
      auto& keys = is_of_rules ? rule_keys_ : keys_;
      if (line.starts_with("\t") && !key.empty()) keys[key] += WithoutMarkup(line.substr(1)) + " ";
      if (line.empty()) key.clear();
    }
  }

  std::map<std::string, std::string> keys_;       ///< by name what is said of it, in one line
  std::map<std::string, std::string> rule_keys_;  ///< likewise
};

TEST_F(FileManual, HasEveryKeyOfARuleWithWhatItTakesAndNoOther) {
  for (auto const& key : RuleKeys()) {
    auto const type = TypeOf({key.kind, key.metavar});
    EXPECT_THAT(rule_keys_[key.name], StartsWith("Takes " + key.takes + ", as " + type + ". "))
        << key.name;
  }
  EXPECT_EQ(rule_keys_.size(), RuleKeys().size());
}

TEST_F(FileManual, HasEveryKeyAndNoOther) {
  for (auto const& setting : Settings()) EXPECT_TRUE(keys_.contains(setting.name)) << setting.name;
  for (auto const& [name, text] : keys_) {
    EXPECT_TRUE(FindSetting(name) != nullptr || name == "url" || name == "mountpoint") << name;
  }
}

TEST_F(FileManual, SaysWhatEachTakesItsTypeAndItsDefault) {
  for (auto const& setting : Settings()) {
    auto const& text = keys_[setting.name];
    bool const is_flag = setting.kind == Setting::Kind::kFlag;
    auto const type = is_flag ? "" : ", as " + TypeInFile(setting);
    EXPECT_THAT(text, StartsWith("Takes " + setting.takes + type + ". ")) << setting.name;
    auto const by_default = is_flag ? "false" : setting.by_default;
    EXPECT_EQ(text.find("Default: ") != std::string::npos, !by_default.empty()) << setting.name;
    if (by_default.empty()) continue;
    EXPECT_THAT(text, HasSubstr("Default: " + by_default + "."));
  }
}

TEST_F(FileManual, ItsExampleIsAConfiguration) {
  std::ifstream page(TUSFS_FILE_MANUAL);
  std::ostringstream example;
  bool is_inside = false;
  for (std::string line; std::getline(page, line);) {
    if (line == "```") {
      is_inside = !is_inside;
    } else if (is_inside) {
      example << line << "\n";
    }
  }
  tusfs_testing::TempDir const dir;
  tusfs_testing::WriteFile(dir / "rig.toml", example.str());
  auto const path = (dir / "rig.toml").string();
  char const* const argv[] = {"tusfs", "--config", path.c_str()};
  auto const invocation = ParseCommandLine(3, argv);
  ASSERT_TRUE(invocation.options) << invocation.output;
  EXPECT_EQ(invocation.options->mountpoint, "/mnt/ingest");
}

}  // namespace
}  // namespace tusfs
