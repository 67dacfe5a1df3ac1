#include "programs/programs_test.h"

#include <strings.h>

#include <stdexcept>

#include "programs/program_table.h"

namespace tusfs_testing {

namespace fs = std::filesystem;

void ProgramsTest::SetUp() {
  MountTest::SetUp();
  if (!IsSkipped()) StartServer(ServerKind::kFixture);
}

void ProgramsTest::Mount(Command options) {
  options.insert(options.begin(), {"--chunk-size", std::to_string(kChunk)});
  mount_ = std::make_unique<MountedTusfs>(server_->Url(), std::move(options));
  if (auto const why = mount_->Mount(); !why.empty()) throw std::runtime_error(why);
  CountFromHere();
}

std::string ProgramsTest::WithoutProgram(std::vector<std::string> const& names) {
  for (auto const& name : names) {
    if (!HaveProgram(name)) return "SKIPPED: there is no " + name;
  }
  return "";
}

Finished ProgramsTest::Run(Command const& command) {
  auto finished = RunProgram(command);
  EXPECT_EQ(finished.code, 0) << command[0] << ": " << finished.err;
  return finished;
}

Finished ProgramsTest::Shell(std::string const& script, Command arguments) {
  arguments.insert(arguments.begin(), {"sh", "-ec", script, "sh"});
  return Run(arguments);
}

Command ProgramsTest::WithBadSource(fs::path const& source, std::uint64_t at, Bad how,
                                    Command command) {
  command.insert(command.begin(),
                 {"env", std::string("LD_PRELOAD=") + BAD_SOURCE_LIBRARY,
                  "BAD_SOURCE=" + source.string(), "BAD_SOURCE_AT=" + std::to_string(at),
                  how == Bad::kFails ? "BAD_SOURCE_HOW=fails" : "BAD_SOURCE_HOW=stalls"});
  return command;
}

std::uint64_t ProgramsTest::SizeIn(std::string const& name) const {
  std::error_code missing;
  auto const size = fs::file_size(In(name), missing);
  return missing ? 0 : size;
}

void ProgramsTest::StartUntil(Command const& command, std::string const& name,
                              std::uint64_t bytes) {
  program_.Start(command, dir_ / "program.out", dir_ / "program.err");
  ASSERT_TRUE(WaitFor([&] { return SizeIn(name) >= bytes; }))
      << name << " has " << SizeIn(name) << " bytes; " << ReadFile(dir_ / "program.err");
}

void ProgramsTest::CountFromHere() {
  auto const stats = server().Stats();
  sent_before_ = stats.received_bytes;
  posts_before_ = stats.posts;
  published_before_ = stats.published;
}

int ProgramsTest::PublishedSince() const {
  return server_->fixture()->Stats().published - published_before_;
}

void ProgramsTest::ExpectArrivals(std::string const& program, std::vector<Arrival> const& files,
                                  double times) {
  Command wait{"wait", "--timeout", "30"};
  for (auto const& file : files) wait.push_back(In(file.name));
  auto const waited = TusfsCtl(wait);
  EXPECT_EQ(waited.code, 0) << program << ": " << waited.out << waited.err;
  std::uint64_t size = 0;
  for (auto const& [name, source] : files) {
    ExpectArrived(name, source);
    EXPECT_EQ(mount_->State(name), "uploaded") << name;
    EXPECT_EQ(Sha256OfFile(In(name)), Sha256OfFile(source)) << name << " read back";
    size += fs::file_size(source);
  }
  EXPECT_EQ(PublishedSince(), static_cast<int>(files.size())) << program;
  EXPECT_LE(SentSince(), static_cast<std::uint64_t>(static_cast<double>(size) * times)) << program;
  AddRow(program, HasFailure() ? "uploaded, in a failing test" : "uploaded", size);
}

void ProgramsTest::ExpectHeld(std::string const& program, std::string const& name,
                              std::string const& why) {
  std::string state;
  EXPECT_TRUE(WaitFor([&] {
    state = mount_->State(name);
    return state == "interrupted" || state == "uploaded";
  }));
  auto const listed = mount_->Listed(name);
  EXPECT_EQ(state, "interrupted") << listed;
  if (listed.is_object() && listed["error"].is_string()) {
    EXPECT_THAT(listed["error"].get<std::string>(), ::testing::HasSubstr(why)) << name;
  } else {
    ADD_FAILURE() << name << " has no reason: " << listed;
  }
  EXPECT_EQ(server_->Published(name), 0) << name;
  AddRow(program, state, SizeIn(name));
}

void ProgramsTest::ExpectInterrupted(std::string const& program, std::string const& name,
                                     std::string const& why) {
  ExpectHeld(program, name, why);
  auto const published = PublishedSince();
  SendMarker(*mount_, "marker-" + std::to_string(++markers_));
  EXPECT_EQ(server_->Published(name), 0) << name;
  EXPECT_EQ(PublishedSince(), published + 1) << program;
}

void ProgramsTest::ExpectNothingSent(std::string const& program) {
  EXPECT_EQ(mount_->WaitUploaded(std::chrono::seconds(30)), 0) << program;
  EXPECT_EQ(SentSince(), 0U) << program;
  EXPECT_EQ(server().Stats().posts, posts_before_) << program;
  EXPECT_EQ(PublishedSince(), 0) << program;
  AddRow(program, SentSince() == 0 ? "nothing sent" : "sent again", 0);
}

std::vector<std::string> ProgramsTest::DeclaredNames() const {
  std::vector<std::string> names;
  for (auto const& request : server_->fixture()->Requests()) {
    if (request.method != "POST") continue;
    for (auto const& [header, value] : request.headers) {
      if (::strcasecmp(header.c_str(), "Upload-Metadata") != 0) continue;
      auto metadata = ParseMetadata(value);
      names.push_back(metadata ? (*metadata)["relativePath"] : "unreadable: " + value);
    }
  }
  return names;
}

void ProgramsTest::AddRow(std::string const& program, std::string const& outcome,
                          std::uint64_t size) const {
  AddToProgramTable(program, outcome, PublishedSince(), SentSince(), size);
}

void ProgramsTest::OpenToEverybody() {
  fs::permissions(dir_.path(), fs::perms::others_exec, fs::perm_options::add);
  fs::permissions(mount_->mountpoint().parent_path(), fs::perms::others_exec,
                  fs::perm_options::add);
  fs::permissions(mount_->mountpoint(), fs::perms::all);
}

Command ProgramsTest::AsNobody(Command const& command) {
  Command whole{"setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"};
  whole.insert(whole.end(), command.begin(), command.end());
  return whole;
}

}  // namespace tusfs_testing
