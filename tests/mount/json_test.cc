// What tusfsctl answers with --json, and what the manual says of it, are the same: each command
// that takes --json is asked here, and each member of its answer is in the section JSON.
#include <map>
#include <set>
#include <sstream>

#include "mount/mount_test.h"

namespace tusfs_testing {
namespace {

using nlohmann::json;

// The section JSON as text, by the commands that its paragraphs begin with.
std::string Section() {
  auto const manual = ReadFile(TUSFSCTL_MANUAL);
  auto const begin = manual.find("\n# JSON\n");
  auto section = manual.substr(begin, manual.find("\n# ", begin + 1) - begin);
  std::erase(section, '\\');
  return section;
}

// Whose members are counts by a name that is data: a state, a finding.
bool IsByName(std::string const& command, std::string const& member) {
  return (command == "status" && member == "files") || member == "totals" || member == "counts";
}

void Collect(std::string const& command, json const& answer, std::set<std::string>& members) {
  if (answer.is_array()) {
    for (auto const& one : answer) Collect(command, one, members);
  }
  if (!answer.is_object()) return;
  for (auto const& [member, value] : answer.items()) {
    members.insert(member);
    if (IsByName(command, member) && value.is_object()) {
      for (auto const& one : value) Collect(command, one, members);
    } else {
      Collect(command, value, members);
    }
  }
}

// The commands whose help offers --json.
std::set<std::string> CommandsWithJson() {
  std::set<std::string> commands;
  std::istringstream help(TusfsCtl({"--help"}).out);
  bool is_list = false;
  for (std::string line; std::getline(help, line);) {
    is_list = is_list || line.starts_with("Subcommands:");
    if (!is_list || !line.starts_with("  ") || line[2] == ' ') continue;
    auto const name = line.substr(2, line.find(' ', 2) - 2);
    if (TusfsCtl({name, "--help"}).out.find("--json") != std::string::npos) commands.insert(name);
  }
  return commands;
}

class JsonTest : public MountTest {
 protected:
  void SetUp() override {
    MountTest::SetUp();
    if (IsSkipped()) return;
    StartServer(ServerKind::kFixture);
    mount_ = std::make_unique<MountedTusfs>(server_->Url(), Command{"--settle", "0.1"});
    ASSERT_EQ(mount_->Mount(), "");
    WriteFile(*mount_ / "sent.mov", std::string(100'000, 'x'));
    EXPECT_EQ(mount_->WaitUploaded(), 0);
    WriteFile(*mount_ / "waits.part", "for its name");
    std::filesystem::create_directory(dir_ / "card");
    WriteFile(dir_ / "card" / "sent.mov", std::string(100'000, 'x'));
    WriteFile(dir_ / "card" / "other.mov", "other");
  }

  // Each command with what it is given, more often than once where its answer depends on that.
  [[nodiscard]] std::vector<Command> Questions() const {
    auto const mount = mount_->mountpoint().string();
    std::vector<Command> questions{{"status", mount},
                                   {"status", "--all"},
                                   {"list", mount},
                                   {"list", "--urls", mount},
                                   {"list", "--stuck", mount},
                                   {"mounts"},
                                   {"report", mount},
                                   {"report", "--missing", mount},
                                   {"doctor", mount},
                                   {"verify", dir_ / "card", mount}};
    for (auto const* const command : {"retry", "accept", "publish", "prioritize", "discard"}) {
      questions.push_back({command, *mount_ / "waits.part"});
    }
    return questions;
  }

  std::unique_ptr<MountedTusfs> mount_;
};

TEST_F(JsonTest, EachMemberOfAnAnswerIsInTheManual) {
  auto const section = Section();
  auto questions = Questions();
  // Of what takes a state directory that nobody uses, and of what takes one of many rigs.
  std::set<std::string> asked{"rescue", "fleet"};
  for (auto& question : questions) {
    auto const command = question.front();
    asked.insert(command);
    question.insert(question.begin() + 1, "--json");
    auto const answer = TusfsCtl(question);
    ASSERT_TRUE(answer.json.is_object()) << command << ": " << answer.out << answer.err;
    EXPECT_EQ(answer.json.value("schema", 0), 1) << command;
    std::set<std::string> members;
    Collect(command, answer.json, members);
    for (auto const& member : members) {
      EXPECT_NE(section.find("*" + member + "*"), std::string::npos)
          << "'" << member << "' of " << command << " is not in tusfsctl(1), JSON";
    }
    EXPECT_NE(section.find("*" + command + "*"), std::string::npos) << command;
  }
  EXPECT_EQ(CommandsWithJson(), asked) << "whatever takes --json is asked here";
}

TEST_F(JsonTest, ARescueIsDescribedToo) {
  ASSERT_EQ(mount_->Unmount(), 0);
  auto const answer = TusfsCtl({"rescue", "--json", mount_->state_dir(), dir_ / "rescued"});
  ASSERT_TRUE(answer.json.is_object()) << answer.out << answer.err;
  EXPECT_EQ(answer.json.value("schema", 0), 1);
  auto const section = Section();
  std::set<std::string> members;
  Collect("rescue", answer.json, members);
  EXPECT_TRUE(members.contains("files"));
  for (auto const& member : members) {
    EXPECT_NE(section.find("*" + member + "*"), std::string::npos) << member;
  }
}

}  // namespace
}  // namespace tusfs_testing
