// ffmpeg as a recorder: formats that patch their head, that rewrite themselves, that stream.
#include <signal.h>

#include "programs/programs_test.h"

namespace tusfs_testing {
namespace {

namespace fs = std::filesystem;

class FfmpegTest : public ProgramsTest {
 protected:
  void SetUp() override {
    if (auto const why = WithoutProgram({"ffmpeg"}); !why.empty()) GTEST_SKIP() << why;
    ProgramsTest::SetUp();
  }

  /// The same bytes each time: some MiB a second of noise and a tone.
  static Command Recording(std::string const& seconds, Command const& format, bool live) {
    Command command{"ffmpeg", "-nostdin", "-v", "error", "-y"};
    std::string const video = "testsrc2=s=320x240:r=25:d=" + seconds + ",noise=alls=40:allf=t";
    for (auto const& source : {video, "sine=frequency=440:sample_rate=48000:d=" + seconds}) {
      if (live) command.push_back("-re");
      command.insert(command.end(), {"-f", "lavfi", "-i", source});
    }
    command.insert(command.end(), {"-threads", "1", "-fflags", "+bitexact", "-flags", "+bitexact",
                                   "-c:v", "mjpeg", "-q:v", "2", "-c:a", "pcm_s16le"});
    command.insert(command.end(), format.begin(), format.end());
    return command;
  }

  /// Recorded outside first; the mount has to end with the same.
  void Record(std::string const& program, std::string const& name, Command const& format, bool live,
              double times) {
    auto const to = [&](fs::path const& file) {
      auto with_file = format;
      with_file.push_back(file);
      return with_file;
    };
    Run(Recording("2", to(dir_ / name), false));
    CountFromHere();
    Run(Recording("2", to(In(name)), live));
    ExpectArrival(program, name, dir_ / name, times);
  }
};

TEST_F(FfmpegTest, EveryFormatArrivesOnceAsItIsInTheEnd) {
  Mount();
  Record("ffmpeg, mov (patches its head)", "a.mov", {"-f", "mov"}, false, 2.1);
  Record("ffmpeg, mov +faststart (rewrites itself)", "b.mov",
         {"-f", "mov", "-movflags", "+faststart"}, false, 3.1);
  Record("ffmpeg, mp4 (patches its head)", "c.mp4", {"-c:a", "aac", "-f", "mp4"}, false, 2.1);
  Record("ffmpeg, mp4 +faststart (rewrites itself)", "d.mp4",
         {"-c:a", "aac", "-f", "mp4", "-movflags", "+faststart"}, false, 3.1);
  Record("ffmpeg, mp4 fragmented", "e.mp4",
         {"-c:a", "aac", "-f", "mp4", "-movflags", "+frag_keyframe+empty_moov"}, false, 1.0);
  Record("ffmpeg, mkv", "f.mkv", {"-f", "matroska"}, false, 2.1);
  Record("ffmpeg, wav", "g.wav", {"-vn", "-f", "wav"}, false, 2.1);
}

TEST_F(FfmpegTest, ALiveRecordingArrivesOnceThoughItsHeadWasSentBeforeItWasPatched) {
  Mount();
  Record("ffmpeg -re, mov", "live.mov", {"-f", "mov"}, true, 2.1);
  Record("ffmpeg -re, mkv", "live.mkv", {"-f", "matroska"}, true, 2.1);
}

TEST_F(FfmpegTest, EverySegmentArrivesOnce) {
  Mount();
  Command const segments{"-f", "segment", "-segment_time", "1", "-segment_format", "matroska"};
  auto const to = [&](fs::path const& pattern) {
    auto command = segments;
    command.push_back(pattern);
    return command;
  };
  Run(Recording("3", to(dir_ / "part%02d.mkv"), false));
  Run(Recording("3", to(In("part%02d.mkv")), false));
  std::vector<Arrival> files;
  for (auto const& entry : fs::directory_iterator(dir_.path())) {
    auto const name = entry.path().filename().string();
    if (name.starts_with("part")) files.push_back({name, entry.path()});
  }
  EXPECT_EQ(files.size(), 3U);
  ExpectArrivals("ffmpeg, segment muxer", files, 2.1);
}

TEST_F(FfmpegTest, ARecordingThatIsStoppedArrivesAndOneThatIsKilledIsInterrupted) {
  Mount();
  for (auto const& [signal, name] : {std::pair(SIGINT, "stopped.mkv"), {SIGKILL, "killed.mkv"}}) {
    CountFromHere();
    StartUntil(Recording("60", {"-f", "matroska", In(name)}, true), name, kMiB);
    program_.Signal(signal);
    ASSERT_TRUE(program_.Wait(std::chrono::seconds(20)));
    if (signal == SIGKILL) {
      ExpectInterrupted("ffmpeg, SIGKILL", name, "SIGKILL");
    } else {
      ASSERT_EQ(mount_->WaitUploaded(), 0);
      fs::copy_file(In(name), dir_ / name);
      ExpectArrival("ffmpeg, SIGINT", name, dir_ / name, 2.1);
    }
  }
}

}  // namespace
}  // namespace tusfs_testing
