// Programs that close what they could not finish like a good file, and say so by how they end: what
// each leaves, and that a good run of it arrives.
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <thread>

#include "programs/programs_test.h"

namespace tusfs_testing {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSize = 3 * kMiB + 5;
constexpr std::uint64_t kHalf = 2 * kMiB;
constexpr int kNotAllowed = 77;  // of ring-writer

/// Answers each GET with a part of what it announces, and hangs up; with all of it; or with 404.
class Downloads {
 public:
  explicit Downloads(std::string bytes) : bytes_(std::move(bytes)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof address;
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::bind(listener_, generic, size) != 0 || ::listen(listener_, 8) != 0 ||
        ::getsockname(listener_, generic, &size) != 0) {
      throw std::runtime_error("no socket to listen on");
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this] {
      while (true) {
        int const peer = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (peer < 0) return;
        Answer(peer);
        ::close(peer);
      }
    });
  }
  ~Downloads() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }

  void Cut(bool on) { is_cut_ = on; }
  void Miss(bool on) { is_missing_ = on; }
  [[nodiscard]] std::string Url() const {
    return "http://127.0.0.1:" + std::to_string(port_) + "/clip.mov";
  }

 private:
  void Answer(int peer) const {
    std::string asked(4096, '\0');
    if (::recv(peer, asked.data(), asked.size(), 0) <= 0) return;
    auto answer = std::string("HTTP/1.1 ") + (is_missing_ ? "404 Not Found" : "200 OK") +
                  "\r\nConnection: close\r\nContent-Length: " + std::to_string(bytes_.size()) +
                  "\r\n\r\n";
    answer += is_cut_ ? bytes_.substr(0, kHalf) : bytes_;
    std::size_t sent = 0;
    while (sent < answer.size()) {
      auto const part = ::send(peer, answer.data() + sent, answer.size() - sent, MSG_NOSIGNAL);
      if (part <= 0) return;
      sent += static_cast<std::size_t>(part);
    }
  }

  std::string const bytes_;
  std::atomic<bool> is_cut_ = false;
  std::atomic<bool> is_missing_ = false;
  int listener_ = -1;
  int port_ = 0;
  std::jthread thread_;
};

struct Program {
  std::string name;
  std::vector<std::string> needs;
  /// Of sh(1): "$1" is the file in the mount, "$2" its source.
  std::string script;
  std::string why;  ///< part of the reason
};

// ---- sources that fail

std::vector<Program> Copiers() {
  return {
      {"dd", {"dd"}, "exec dd if=\"$2\" of=\"$1\" bs=64K status=none", "dd ended with status 1"},
      {"cat", {"cat"}, "cat \"$2\" >\"$1\"", "cat ended with status 1"},
      {"tee", {"tee", "cat"}, "exec tee <\"$2\" \"$1\" >/dev/null", "tee ended with status 1"},
      {"gio copy", {"gio"}, "exec gio copy \"$2\" \"$1\"", "gio ended with status"},
      {"python shutil.copyfile",
       {"python3"},
       "exec python3 -c 'import shutil,sys; shutil.copyfile(sys.argv[2], sys.argv[1])' \"$1\" "
       "\"$2\"",
       "ended with status 1"},
      {"perl",
       {"perl"},
       "exec perl -e 'open(I,\"<\",$ARGV[1]); open(O,\">\",$ARGV[0]); "
       "while(1){my $n=sysread(I,$b,65536); die \"read: $!\" unless defined $n; last unless $n; "
       "syswrite(O,$b)} close(O)' \"$1\" \"$2\"",
       "perl ended with status"},
      {"cp under another name", {"cp"}, "exec cp \"$2\" \"$1\"", "source was not read to its end"},
      {"busybox cp",
       {"busybox"},
       "exec busybox cp \"$2\" \"$1\"",
       "source was not read to its end"},
      {"busybox dd",
       {"busybox"},
       "exec busybox dd if=\"$2\" of=\"$1\" bs=65536 2>/dev/null",
       "ended with status 1"},
      {"rsync --inplace",
       {"rsync"},
       "exec rsync --inplace \"$2\" \"$1\"",
       "rsync ended with status"},
  };
}

class EndsTest : public ProgramsTest {
 protected:
  void SetUp() override {
    ProgramsTest::SetUp();
    if (IsSkipped()) return;
    Mount({"--settle", "1"});  // a busy machine tells of an end late
    if (TusfsCtlStatus().value("writer_ends", "") == "nobody") {
      GTEST_SKIP() << "SKIPPED: this kernel does not tell how others' processes end";
    }
  }
  nlohmann::json TusfsCtlStatus() {
    auto const status = TusfsCtl({"status", "--json", In("").string()});
    auto const parsed = nlohmann::json::parse(status.out, nullptr, false);
    return parsed.is_array() ? parsed.at(0) : parsed;
  }
  /// Says which of them is left out.
  [[nodiscard]] static bool IsThere(Program const& program) {
    auto const why = WithoutProgram(program.needs);
    if (!why.empty()) std::puts(why.c_str());
    return why.empty();
  }
  [[nodiscard]] Command ShellOf(Program const& program, std::string const& name,
                                fs::path const& source) const {
    return {"sh", "-c", program.script, "sh", In(name), source};
  }
};

class CopiersTest : public EndsTest, public ::testing::WithParamInterface<Program> {};

TEST_P(CopiersTest, WhoseSourceFailsLeavesTheFileInterruptedAndAGoodCopyArrives) {
  auto const& program = GetParam();
  if (auto const why = WithoutProgram(program.needs); !why.empty()) GTEST_SKIP() << why;
  auto const source = Source("A001.mov", kSize);
  auto const bad =
      RunProgram(WithBadSource(source, kHalf, Bad::kFails, ShellOf(program, "bad.mov", source)));
  EXPECT_NE(bad.code, 0) << bad.out << bad.err;
  ExpectInterrupted(program.name + ", EIO", "bad.mov", program.why);
  CountFromHere();
  Run(ShellOf(program, "good.mov", source));
  ExpectArrival(program.name, "good.mov", source);
}

INSTANTIATE_TEST_SUITE_P(Programs, CopiersTest, ::testing::ValuesIn(Copiers()),
                         [](auto const& row) {
                           auto name = row.param.name;
                           std::replace_if(
                               name.begin(), name.end(),
                               [](unsigned char byte) { return std::isalnum(byte) == 0; }, '_');
                           return name;
                         });

TEST_F(EndsTest, AFailureBeforeTheFirstByteLeavesAnInterruptedFile) {
  auto const source = Source("A001.mov", kSize);
  int number = 0;
  for (auto const& program : Copiers()) {
    if (program.name == "rsync --inplace" || !IsThere(program)) continue;
    SCOPED_TRACE(program.name);
    auto const name = "empty" + std::to_string(++number);
    auto const bad =
        RunProgram(WithBadSource(source, 0, Bad::kFails, ShellOf(program, name, source)));
    EXPECT_NE(bad.code, 0) << bad.out << bad.err;
    if (!fs::exists(In(name))) continue;  // better still
    ExpectInterrupted(program.name + ", EIO at once", name, "");
  }
}

TEST_F(EndsTest, ASourceThatWasWrittenJustBeforeIsNoExcuseForACopyThatEndsWithAnError) {
  auto const source = Source("fresh.mov", kSize);
  for (auto const* name : {"cp", "install"}) {
    SCOPED_TRACE(name);
    fs::last_write_time(source, fs::file_time_type::clock::now());
    auto const bad =
        RunProgram(WithBadSource(source, kHalf, Bad::kFails, {name, source, In(name)}));
    EXPECT_EQ(bad.code, 1) << bad.err;
    ExpectInterrupted(std::string(name) + " of a fresh source, EIO", name, "");
  }
}

TEST_F(EndsTest, WhatRsyncKeepsOfAFileThatItCouldNotReadIsInterrupted) {
  if (auto const why = WithoutProgram({"rsync"}); !why.empty()) GTEST_SKIP() << why;
  auto const folder = dir_ / "card";
  fs::create_directory(folder);
  fs::copy_file(Source("good.mov", kSize), folder / "good.mov");
  fs::copy_file(Source("bad.mov", kSize), folder / "bad.mov");
  for (auto const* name : {"good.mov", "bad.mov"}) {
    fs::last_write_time(folder / name, fs::file_time_type::clock::now() - std::chrono::hours(1));
  }
  auto const bad = RunProgram(
      WithBadSource(folder / "bad.mov", kHalf, Bad::kFails, {"rsync", "-aP", folder, In("")}));
  EXPECT_EQ(bad.code, 23) << bad.err;
  ExpectHeld("rsync -aP, EIO in one of two files", "card/bad.mov", "rsync ended with status 23");
  EXPECT_TRUE(WaitFor([&] { return mount_->State("card/good.mov") == "uploaded"; }));
}

TEST_F(EndsTest, TheWorkersOfAPoolHaveNotFailedWhenTheyAreDismissed) {
  if (auto const why = WithoutProgram({"python3"}); !why.empty()) GTEST_SKIP() << why;
  auto const source = Source("A001.mov", kMiB);
  auto const script =
      "import multiprocessing, shutil, sys\n"
      "if __name__ == '__main__':\n"
      "  with multiprocessing.Pool(2) as pool:\n"
      "    pool.starmap(shutil.copyfile, [(sys.argv[1], sys.argv[2] + str(i)) for i in "
      "range(6)])\n";
  WriteFile(dir_ / "pool.py", script);
  Run({"python3", dir_ / "pool.py", source, In("pool-")});
  std::vector<Arrival> files;
  for (int i = 0; i < 6; ++i) files.push_back({"pool-" + std::to_string(i), source});
  ExpectArrivals("python, a pool of processes", files);
}

// ---- Ctrl-C

TEST_F(EndsTest, WhoCatchesSigintToCloseItsFileAndThenDiesOfItLeavesItInterrupted) {
  auto const source = Source("A001.mov", kSize);
  int number = 0;
  for (auto const& program : Copiers()) {
    if (program.name != "dd" && program.name != "python shutil.copyfile") continue;
    SCOPED_TRACE(program.name);
    auto const name = "bad" + std::to_string(++number);
    StartUntil(WithBadSource(source, kHalf, Bad::kStalls, ShellOf(program, name, source)), name,
               kHalf / 2);
    program_.Signal(SIGINT);
    ASSERT_TRUE(program_.Wait(std::chrono::seconds(10)));
    ExpectInterrupted(program.name + ", SIGINT", name, "SIGINT");
  }
}

// ---- downloads

std::vector<Program> Downloaders() {
  return {
      {"curl -o", {"curl"}, "exec curl -s -o \"$1\" \"$2\"", "curl ended with status 18"},
      {"wget -O", {"wget"}, "exec wget -q --tries=1 -O \"$1\" \"$2\"", "wget ended with status"},
      {"aria2c",
       {"aria2c"},
       "exec aria2c -q --max-tries=1 --file-allocation=none -d \"${1%/*}\" -o \"${1##*/}\" \"$2\"",
       "aria2c ended with status"},
  };
}

TEST_F(EndsTest, ADownloadThatIsCutIsInterruptedAndAGoodOneArrives) {
  auto const whole = Source("clip.mov", kSize);
  Downloads downloads(ReadFile(whole));
  int number = 0;
  for (auto const& program : Downloaders()) {
    if (!IsThere(program)) continue;
    SCOPED_TRACE(program.name);
    auto const name = std::to_string(++number);
    downloads.Cut(true);
    EXPECT_NE(RunProgram(ShellOf(program, "bad" + name, downloads.Url())).code, 0);
    ExpectInterrupted(program.name + ", cut", "bad" + name, program.why);
    downloads.Cut(false);
    CountFromHere();
    Run(ShellOf(program, "good" + name, downloads.Url()));
    ExpectArrival(program.name, "good" + name, whole);
  }
}

TEST_F(EndsTest, APageThatIsNotThereLeavesNoEmptyFile) {
  if (auto const why = WithoutProgram({"wget"}); !why.empty()) GTEST_SKIP() << why;
  Downloads downloads("");
  downloads.Miss(true);
  EXPECT_EQ(RunProgram({"wget", "-q", "-O", In("page"), downloads.Url()}).code, 8);
  ExpectInterrupted("wget -O, 404", "page", "wget ended with status 8");
}

// ---- archives

std::vector<Program> Unpackers() {
  return {
      {"tar -x, cut", {"tar"}, "exec tar xf \"$2\" -C \"$1\"", "ended with status 2"},
      {"bsdtar -x, cut", {"bsdtar"}, "exec bsdtar xf \"$2\" -C \"$1\"", "ended with status 1"},
      {"busybox tar -x, cut",
       {"busybox"},
       "exec busybox tar xf \"$2\" -C \"$1\"",
       "ended with status 1"},
  };
}

TEST_F(EndsTest, AFileOutOfAnArchiveThatIsCutIsInterrupted) {
  auto const source = Source("clip.mov", kSize);
  auto const archive = dir_ / "clips.tar";
  Run({"tar", "cf", archive, "-C", source.parent_path(), "clip.mov"});
  auto const cut = dir_ / "cut.tar";
  WriteFile(cut, ReadFile(archive).substr(0, kHalf));
  int number = 0;
  for (auto const& program : Unpackers()) {
    if (!IsThere(program)) continue;
    SCOPED_TRACE(program.name);
    auto const name = "folder" + std::to_string(++number);
    fs::create_directory(In(name));
    EXPECT_NE(RunProgram(ShellOf(program, name, cut)).code, 0);
    ExpectInterrupted(program.name, name + "/clip.mov", program.why);
    CountFromHere();
    fs::remove(In(name + "/clip.mov"));
    Run(ShellOf(program, name, archive));
    ExpectArrival(program.name.substr(0, program.name.find(',')), name + "/clip.mov", source);
  }
}

TEST_F(EndsTest, AFileOfWhichAnArchiveHasAnotherChecksumIsInterrupted) {
  if (auto const why = WithoutProgram({"zip", "unzip"}); !why.empty()) GTEST_SKIP() << why;
  auto const source = Source("clip.mov", kSize);
  auto const archive = dir_ / "clips.zip";
  Run({"zip", "-q", "-0", "-j", archive, source});
  auto bytes = ReadFile(archive);
  bytes[kHalf] = static_cast<char>(~bytes[kHalf]);
  WriteFile(dir_ / "bad.zip", bytes);
  EXPECT_EQ(RunProgram({"unzip", "-q", dir_ / "bad.zip", "-d", In("unzipped")}).code, 2);
  ExpectInterrupted("unzip, wrong checksum", "unzipped/clip.mov", "unzip ended with status 2");
  if (IsThere({.name = "7z", .needs = {"7z"}, .script = {}, .why = {}})) {
    EXPECT_EQ(RunProgram({"7z", "x", "-bd", "-o" + In("7z").string(), dir_ / "bad.zip"}).code, 2);
    ExpectInterrupted("7z x, wrong checksum", "7z/clip.mov", "7z ended with status 2");
  }
  CountFromHere();
  Run({"unzip", "-q", archive, "-d", In("good")});
  ExpectArrival("unzip", "good/clip.mov", source);
}

// ---- what is nobody's bad end

TEST_F(EndsTest, ARenamedFileAndAnUnknownProgramsErrorAreNotHeldBack) {
  auto const source = Source("clip.mov", kSize);
  auto const ended =
      RunProgram({"sh", "-c", "cat \"$2\" >\"$1.new\" && mv \"$1.new\" \"$1\"; exit 3", "sh",
                  In("clip.mov"), source});
  EXPECT_EQ(ended.code, 3);
  ExpectArrival("a script that ends with an error later", "clip.mov", source, 2.0);
}

TEST_F(EndsTest, AFileThatIoUringHasClosedArrives) {
  program_.Start({RING_WRITER, In("ring"), std::to_string(kSize)}, dir_ / "program.out",
                 dir_ / "program.err");
  auto const said = WaitFor([&] { return ReadFile(dir_ / "program.out") == "closed\n"; });
  auto const ended = said ? std::nullopt : program_.Wait(std::chrono::seconds(0));
  if (ended && ended->code == kNotAllowed) {
    GTEST_SKIP() << "SKIPPED: io_uring is not allowed here";
  }
  ASSERT_TRUE(said) << ReadFile(dir_ / "program.err");
  WriteFile(dir_ / "expected", std::string(kSize, 'r'));
  ExpectArrival("io_uring, direct descriptor", "ring", dir_ / "expected");
  program_.Signal(SIGKILL);
}

}  // namespace
}  // namespace tusfs_testing
