// Options: one name in three places, and a sentence for what is wrong.
#include "options/command_line.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <map>
#include <set>
#include <vector>

#include "base/fakes.h"
#include "options/places.h"
#include "options/upload_settings.h"
#include "testing/files.h"

namespace tusfs {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class OptionsTest : public testing::Test {
 protected:
  static Invocation Parse(std::vector<std::string> const& words) {
    std::vector<char const*> argv{"tusfs"};
    for (auto const& word : words) argv.push_back(word.c_str());
    return ParseCommandLine(static_cast<int>(argv.size()), argv.data());
  }

  static Options Parsed(std::vector<std::string> words, bool with_places = true) {
    if (with_places) words.insert(words.begin(), {"http://tus/files/", "/mnt"});
    auto invocation = Parse(words);
    EXPECT_TRUE(invocation.options) << invocation.output;
    return invocation.options.value_or(Options{});
  }

  static std::string Refusal(std::vector<std::string> words) {
    words.insert(words.begin(), {"http://tus/files/", "/mnt"});
    auto const invocation = Parse(words);
    EXPECT_FALSE(invocation.options);
    EXPECT_EQ(invocation.status, 2);
    return invocation.output;
  }

  std::string File(std::string const& text) {
    auto const path = dir_ / "tusfs.toml";
    tusfs_testing::WriteFile(path, text);
    return path.string();
  }

  std::string UrlFile(std::string const& text) {
    tusfs_testing::WriteFile(dir_ / "url", text);
    return (dir_ / "url").string();
  }

  tusfs_testing::TempDir const dir_;
};

/// What these tests set in addition to ExpectAllSet.
std::vector<std::string> const kUploadOptions{"--chunk-multiple=512KiB",
                                              "--exact-chunks",
                                              "--limit-rate=3MiB",
                                              "--preset=supabase",
                                              "--metadata=bucketName=rigs",
                                              "--metadata=objectName=day-{mtime}/{path},=",
                                              "--checksum=off",
                                              "--verify=download",
                                              "--trust-origin=https://a.example/",
                                              "--trust-origin=https://b.example/",
                                              "--ca-file=/etc/ca.pem",
                                              "--client-cert=/etc/cert.pem",
                                              "--client-key=/etc/key.pem",
                                              "--interface=wwan0",
                                              "--ip-version=6",
                                              "--http2",
                                              "--method-override",
                                              "--ignore=*.bak",
                                              "--temporary=*.uploading",
                                              "--settle-limit=60",
                                              "--copiers=gcp",
                                              "--failures=ingest=3",
                                              "--unknown=publish",
                                              "--interrupted=publish",
                                              "--finish=*.mov=command",
                                              "--finish-command=check"};

void ExpectAllSet(Options const& options) {
  EXPECT_EQ(options.state_dir, "/var/lib/x");
  EXPECT_EQ(options.settle, std::chrono::milliseconds(500));
  EXPECT_EQ(options.chunk_size, std::uint64_t{1} << 20);
  EXPECT_EQ(options.transfers, 7);
  EXPECT_EQ(options.log_level, LogLevel::kDebug);
  EXPECT_TRUE(options.foreground);
  EXPECT_TRUE(options.nonempty);
  EXPECT_TRUE(options.allow_other);
}

TEST_F(OptionsTest, UrlAndMountPointAreEnough) {
  auto const options = Parsed({});
  EXPECT_EQ(options.url, "http://tus/files/");
  EXPECT_EQ(options.mountpoint, "/mnt");
  EXPECT_EQ(options.settle, std::chrono::seconds(2));
  EXPECT_EQ(options.adopt_timeout, std::chrono::hours(24));
  EXPECT_EQ(options.chunk_size, std::nullopt);
  EXPECT_EQ(UploadRulesOf(options)->chunks.size, std::uint64_t{32} << 20);
  EXPECT_EQ(options.transfers, 4);
  EXPECT_FALSE(options.foreground);
}

TEST_F(OptionsTest, EveryOptionOnTheCommandLine) {
  ExpectAllSet(
      Parsed({"--state-dir", "/var/lib/x", "--settle", "0.5", "--chunk-size=1MiB", "--transfers",
              "7", "--log-level", "debug", "--foreground", "--nonempty", "--allow-other"}));
}

TEST_F(OptionsTest, EveryOptionOfUploads) {
  auto const options = Parsed(kUploadOptions);
  EXPECT_EQ(options.chunk_multiple, 512U * 1024);
  EXPECT_TRUE(options.exact_chunks && options.http2 && options.method_override);
  EXPECT_EQ(options.limit_rate, 3U << 20);
  EXPECT_EQ(options.preset, "supabase");
  ASSERT_EQ(options.metadata.size(), 2U);
  EXPECT_EQ(options.metadata[1].key, "objectName");
  EXPECT_EQ(options.metadata[1].value, "day-{mtime}/{path},=");
  EXPECT_FALSE(options.checksums);
  EXPECT_EQ(options.verify, Verification::kDownload);
  EXPECT_THAT(options.trust_origin, ElementsAre("https://a.example/", "https://b.example/"));
  EXPECT_EQ(options.ca_file, "/etc/ca.pem");
  EXPECT_EQ(options.client_cert, "/etc/cert.pem");
  EXPECT_EQ(options.client_key, "/etc/key.pem");
  EXPECT_EQ(options.interface, "wwan0");
  EXPECT_EQ(options.ip_version, tus::CurlTransportOptions::Ip::k6);
}

TEST_F(OptionsTest, ListsAndTablesInAFile) {
  auto const options =
      Parsed({"--config", File("trust_origin = [\"https://a.example\", \"https://b.example\"]\n"
                               "[metadata]\nproject = \"dune\"\nfilename = \"{path}\"\n")});
  EXPECT_THAT(options.trust_origin, ElementsAre("https://a.example", "https://b.example"));
  EXPECT_EQ(options.metadata.size(), 2U);
  EXPECT_THAT(Refusal({"--config", File("ca_file = [\"a\"]\n")}), HasSubstr("ca_file"));
}

TEST_F(OptionsTest, MetadataReplacesAndLeavesOut) {
  auto const options =
      Parsed({"--metadata", "filename={path}", "--metadata=mtime=", "--metadata", "filename=x"});
  auto const rules = UploadRulesOf(options);
  ASSERT_TRUE(rules);
  std::map<std::string, std::string> metadata;
  for (auto const& [key, value] : rules->metadata) metadata[key] = value;
  EXPECT_EQ(metadata["filename"], "x");
  EXPECT_FALSE(metadata.contains("mtime"));
  EXPECT_TRUE(metadata.contains("tusfsId"));
}

TEST_F(OptionsTest, APresetHasRulesOfItsOwn) {
  auto const rules = UploadRulesOf(Parsed({"--preset=supabase", "--metadata=bucketName=rigs"}));
  ASSERT_TRUE(rules);
  EXPECT_EQ(rules->chunks.size, std::uint64_t{6} << 20);
  EXPECT_TRUE(rules->chunks.exact);
  EXPECT_FALSE(rules->defer_length);
  EXPECT_THAT(Refusal({"--preset", "supabase"}), HasSubstr("needs --metadata bucketName="));
  EXPECT_THAT(Refusal({"--preset", "dropbox"}), HasSubstr("cloudflare-stream"));
  EXPECT_THAT(Refusal({"--preset=cloudflare-stream", "--chunk-size=1MiB"}),
              HasSubstr("smaller than the least"));
}

TEST_F(OptionsTest, PathsAreAbsoluteBecauseTheDaemonIsElsewhere) {
  auto const options = Parsed({"--token-file", "token"});
  EXPECT_EQ(options.token_file, (std::filesystem::current_path() / "token").string());
}

TEST_F(OptionsTest, CredentialsHaveOneSource) {
  EXPECT_THAT(Refusal({"--token-file=/a", "--netrc-file=/b"}),
              HasSubstr("--token-file and --netrc-file"));
  EXPECT_THAT(Refusal({"--client-key=/a"}), HasSubstr("--client-cert"));
  EXPECT_THAT(Refusal({"--page-actions"}), HasSubstr("--page-actions needs --page"));
  EXPECT_THAT(Refusal({"--page-token-file=/a"}), HasSubstr("--page-token-file needs --page"));
  EXPECT_THAT(Refusal({"--page=8080", "--metrics=8080"}), HasSubstr("give them two"));
}

TEST_F(OptionsTest, EveryOptionAfterDashO) {
  ExpectAllSet(Parsed({"-o", "state-dir=/var/lib/x,settle=0.5,chunk-size=1MiB,transfers=7", "-o",
                       "log-level=debug,foreground,nonempty,allow_other"}));
  ExpectAllSet(Parsed({"-o",
                       "state_dir=/var/lib/x,settle=0.5,chunk_size=1MiB,transfers=7,"
                       "log_level=debug,foreground=true,nonempty=true,allow-other=true"}));
}

TEST_F(OptionsTest, EveryOptionInAFile) {
  auto const file = File(
      "url = \"http://tus/files/\"\nmountpoint = \"/mnt\"\nstate_dir = \"/var/lib/x\"\n"
      "settle = 0.5\nchunk_size = \"1MiB\"\ntransfers = 7\nlog_level = \"debug\"\n"
      "foreground = true\nnonempty = true\nallow_other = true\n");
  auto const options = Parsed({"--config", file}, false);
  ExpectAllSet(options);
  EXPECT_EQ(options.url, "http://tus/files/");
  EXPECT_EQ(options.mountpoint, "/mnt");
}

TEST_F(OptionsTest, DashesWorkInAFileToo) {
  EXPECT_EQ(Parsed({"--config", File("chunk-size = 262144\nlog-level = \"warn\"\n")}).chunk_size,
            262'144U);
}

TEST_F(OptionsTest, TheCommandLineWinsOverDashOAndThatOverTheFile) {
  auto const file =
      File("transfers = 1\nsettle = 1\nchunk_size = \"256KiB\"\nurl = \"http://f/\"\n");
  auto const options = Parsed({"--transfers", "3", "-o", "transfers=2,settle=2", "--config", file});
  EXPECT_EQ(options.transfers, 3);
  EXPECT_EQ(options.settle, std::chrono::seconds(2));
  EXPECT_EQ(options.adopt_timeout, std::chrono::hours(24));
  EXPECT_EQ(options.chunk_size, 262'144U);
  EXPECT_EQ(options.url, "http://tus/files/");
}

TEST_F(OptionsTest, AFlagCanBeTurnedOffWhereverItWasTurnedOn) {
  auto const file = File("foreground = true\n");
  EXPECT_FALSE(Parsed({"--config", file, "-o", "foreground=false"}).foreground);
  EXPECT_FALSE(Parsed({"--config", file, "--foreground=false"}).foreground);
  EXPECT_TRUE(Parsed({"--config", file}).foreground);
}

// ---- a URL with a secret in it

TEST_F(OptionsTest, AUrlComesFromAFile) {
  auto const file = UrlFile("  https://tus/files/?token=s3cret \nmore\n");
  auto const options = Parsed({"--url-file", file, "/mnt"}, false);
  EXPECT_EQ(options.url, "https://tus/files/?token=s3cret");
  EXPECT_EQ(options.mountpoint, "/mnt");
  EXPECT_EQ(SourceOf(options), "https://tus/files/?***");
  auto const config = File("url-file = \"" + file + "\"\nmountpoint = \"/mnt\"\n");
  EXPECT_EQ(Parsed({"--config", config}, false).url, options.url);
}

TEST_F(OptionsTest, MountWantsAWordForAUrlThatIsInAFile) {
  auto const file = UrlFile("https://tus/files/?token=s3cret\n");
  for (std::string const word :
       {"none", "https://tus/files/", "https://TUS/files/", "https://tus/files/?***"}) {
    auto const options = Parsed({word, "/mnt", "-o", "url-file=" + file}, false);
    EXPECT_EQ(options.url, "https://tus/files/?token=s3cret") << word;
    EXPECT_EQ(options.mountpoint, "/mnt");
    EXPECT_EQ(SourceOf(options), word);
  }
}

TEST_F(OptionsTest, TwoUrlsOfTwoPlacesAreRefused) {
  auto const file = UrlFile("https://tus/files/?token=s3cret\n");
  for (std::string const url : {"https://other/files/?x", "https://tus/", "http://tus/files/"}) {
    auto const invocation = Parse({url, "/mnt", "--url-file", file});
    EXPECT_FALSE(invocation.options) << url;
    EXPECT_THAT(invocation.output, HasSubstr(file));
    EXPECT_THAT(invocation.output, testing::Not(HasSubstr("s3cret")));
  }
}

TEST_F(OptionsTest, AUrlFileThatCannotBeReadOrIsEmptyIsNamed) {
  EXPECT_THAT(Parse({"--url-file", "/missing", "/mnt"}).output, HasSubstr("/missing"));
  auto const file = UrlFile(" \nhttps://tus/files/\n");
  EXPECT_THAT(Parse({"--url-file", file, "/mnt"}).output, HasSubstr(file));
}

TEST_F(OptionsTest, NoSentenceHasTheSecretOfAUrl) {
  for (std::vector<std::string> const& words :
       {std::vector<std::string>{"https://tus/?s3cret"},
        {"https://tus/files/", "/mnt", "https://tus/?s3cret"},
        {"https://tus/files/", "/mnt", "--frob=https://me:s3cret@tus/"}}) {
    auto const invocation = Parse(words);
    EXPECT_FALSE(invocation.options);
    EXPECT_THAT(invocation.output, testing::Not(HasSubstr("s3cret")));
  }
}

// ---- where values are from, and all mistakes at once

TEST_F(OptionsTest, EachValueHasItsOrigin) {
  auto const file = File("url = \"http://f/\"\nsettle = 1\ntransfers = 2\nignore = [\"*.a\"]\n");
  auto const given = Parse({"--config", file, "http://tus/files/", "/mnt", "-o",
                            "transfers=3,ignore=*.b", "--ignore=*.c", "--ignore=*.d"})
                         .given;
  EXPECT_EQ(given.PlaceOf("settle"), file + ":2");
  EXPECT_EQ(given.PlaceOf("transfers"), "-o");
  EXPECT_EQ(given.PlaceOf("ignore"), file + ":4, -o, command line");
  EXPECT_EQ(given.PlaceOf("url"), "command line");
  EXPECT_EQ(given.PlaceOf("keep"), "");
  EXPECT_EQ(given.SpeltAs("settle"), file + ":2: settle");
  EXPECT_EQ(given.SpeltAs("transfers"), "--transfers");
}

TEST_F(OptionsTest, MistakesOfAllPlacesAreSaidAtOnce) {
  auto const refusal = Refusal({"--config", File("setle = 1\n"), "-o", "frob", "--transfers=0",
                                "--token-file=/a", "--netrc-file=/b"});
  EXPECT_EQ(std::count(refusal.begin(), refusal.end(), '\n'), 4) << refusal;
  for (auto const* const part : {"setle", "-o frob", "--transfers is '0'", "--netrc-file"}) {
    EXPECT_THAT(refusal, HasSubstr(part));
  }
}

TEST_F(OptionsTest, AFileThatSaysNothingIsTheOnlyMistake) {
  auto const refusal = Parse({"--config", "/no/such.toml"}).output;
  EXPECT_EQ(std::count(refusal.begin(), refusal.end(), '\n'), 1) << refusal;
}

TEST_F(OptionsTest, AUrlThatCannotBeMountedIsRefusedWhereverItIsFrom) {
  auto const file = File("url = \"ftp://me:s3cret@tus/\"\nmountpoint = \"/mnt\"\n");
  auto const invocation = Parse({"--config", file});
  EXPECT_EQ(invocation.status, 2);
  EXPECT_THAT(invocation.output, HasSubstr("https://host/files/"));
  EXPECT_THAT(invocation.output, testing::Not(HasSubstr("s3cret")));
}

TEST_F(OptionsTest, WhatIsToBeCheckedMayStandAlone) {
  auto const file = File("url = \"http://f/\"\nmountpoint = \"/mnt\"\n");
  for (std::vector<std::string> const& words : {std::vector<std::string>{"--check-config", file},
                                                {"--check-config=" + file},
                                                {"--check-config", "--config", file},
                                                {file, "--check-config"}}) {
    auto const invocation = Parse(words);
    ASSERT_TRUE(invocation.options) << invocation.output;
    EXPECT_TRUE(invocation.check);
    EXPECT_EQ(invocation.options->url, "http://f/");
  }
  EXPECT_EQ(Parse({"--check-config", "http://tus/", "/mnt"}).options->url, "http://tus/");
  EXPECT_FALSE(Parse({"--config", file}).check);
}

// ---- mount(8)

TEST_F(OptionsTest, ARemountIsToldFromAMount) {
  EXPECT_FALSE(Parse({"http://tus/", "/mnt", "-o", "rw,settle=3"}).remount);
  auto const remount = Parse({"none", "/mnt", "-o", "rw,remount,settle=3,noexec,user_id=0"});
  EXPECT_TRUE(remount.remount);
  EXPECT_THAT(remount.given_after_o, ElementsAre("settle"));
  EXPECT_THAT(Parse({"none", "/mnt", "-o", "remount,ro"}).output, HasSubstr("read-only"));
}

TEST_F(OptionsTest, WhatMountProgramsAddIsTaken) {
  auto const options = Parsed({"-o", "rw,noauto,user,_netdev,nofail,x-systemd.automount,defaults"});
  EXPECT_TRUE(options.kernel.empty());
}

TEST_F(OptionsTest, WhatIsForTheKernelIsHandedOn) {
  EXPECT_THAT(Parsed({"-o", "nosuid,nodev,noexec,noatime"}).kernel,
              ElementsAre("nosuid", "nodev", "noexec", "noatime"));
}

TEST_F(OptionsTest, ReadOnlyIsRefusedWithAReason) {
  EXPECT_THAT(Refusal({"-o", "rw,ro"}), HasSubstr("read-only"));
}

TEST_F(OptionsTest, UnknownMountOptionsAreRefusedByName) {
  EXPECT_THAT(Refusal({"-o", "settle=1,sttle=2"}), HasSubstr("sttle"));
  EXPECT_THAT(Refusal({"-o", "settle"}), HasSubstr("settle"));
  EXPECT_THAT(Refusal({"-o", "foreground=maybe"}), HasSubstr("maybe"));
}

TEST_F(OptionsTest, EmptyItemsAreNothing) {
  EXPECT_EQ(Parsed({"-o", ",,transfers=2,"}).transfers, 2);
}

// ---- wrong values

TEST_F(OptionsTest, UnknownOptionsAreRefusedByName) {
  EXPECT_THAT(Refusal({"--no-such-option"}), HasSubstr("no-such-option"));
  EXPECT_THAT(Refusal({"one-too-many"}), HasSubstr("one-too-many"));
}

TEST_F(OptionsTest, WrongValuesAreRefusedWithOptionAndValue) {
  for (auto const& [name, value] :
       std::vector<std::pair<std::string, std::string>>{{"settle", "-1"},
                                                        {"settle", "x"},
                                                        {"settle", "nan"},
                                                        {"settle", "86401"},
                                                        {"settle", ""},
                                                        {"adopt-timeout", "-1"},
                                                        {"adopt-timeout", "1.5"},
                                                        {"adopt-timeout", "2592001"},
                                                        {"chunk-size", "0"},
                                                        {"chunk-size", "100"},
                                                        {"chunk-size", "1MB"},
                                                        {"chunk-size", "-1MiB"},
                                                        {"transfers", "0"},
                                                        {"transfers", "65"},
                                                        {"transfers", "4x"},
                                                        {"log-level", "loud"},
                                                        {"state-dir", ""}}) {
    auto const refusal = Refusal({"--" + name + "=" + value});
    EXPECT_THAT(refusal, HasSubstr(name)) << value;
    EXPECT_FALSE(Parse({"http://tus/", "/mnt", "-o", name + "=" + value}).options)
        << name << " " << value;
  }
}

TEST_F(OptionsTest, MissingPlacesAreNamed) {
  EXPECT_THAT(Parse({}).output, HasSubstr("URL"));
  EXPECT_THAT(Parse({"http://tus/"}).output, HasSubstr("mount point"));
  EXPECT_EQ(Parse({}).status, 2);
}

TEST_F(OptionsTest, AnErrorInAFileIsSaidWithFileAndLine) {
  auto const file = File("transfers = 2\n\nsettle = = 3\n");
  EXPECT_THAT(Refusal({"--config", file}), HasSubstr(file + ":3"));
}

TEST_F(OptionsTest, AnUnknownSettingInAFileIsSaidWithItsName) {
  auto const file = File("transfers = 2\nsttle = 3\n");
  auto const refusal = Refusal({"--config", file});
  EXPECT_THAT(refusal, HasSubstr("sttle"));
  EXPECT_THAT(refusal, HasSubstr(file));
}

TEST_F(OptionsTest, AWrongValueInAFileIsSaidWithTheFile) {
  EXPECT_THAT(Refusal({"--config", File("transfers = 99\n")}), HasSubstr("tusfs.toml"));
  EXPECT_THAT(Refusal({"--config", File("transfers = [1, 2]\n")}), HasSubstr("transfers"));
  EXPECT_THAT(Refusal({"--config", File("foreground = 1\n")}), HasSubstr("tusfs.toml"));
}

TEST_F(OptionsTest, WhatDoesNotFitTogetherIsSaidWithTheLinesOfBoth) {
  auto const file = File("token-file = \"/a\"\nsettle = 3\nbasic_file = \"/b\"\n");
  EXPECT_THAT(
      Refusal({"--config", file}),
      HasSubstr(file + ":1, " + file + ":3: --token-file and --basic-file are two sources"));
  EXPECT_THAT(Refusal({"--config", File("finish = \"*=command\"\n")}),
              HasSubstr("tusfs.toml:1: --finish GLOB=command needs"));
  EXPECT_THAT(Refusal({"--client-key=/k"}), HasSubstr("tusfs: --client-key needs"));
  EXPECT_THAT(Refusal({"--heartbeat-url=http://tus/beats/"}), HasSubstr("needs --heartbeat:"));
}

TEST_F(OptionsTest, AMissingFileIsSaidWithItsName) {
  EXPECT_THAT(Refusal({"--config", "/no/such.toml"}), HasSubstr("/no/such.toml"));
}

TEST_F(OptionsTest, HelpAndVersionEndWell) {
  auto const help = Parse({"--help"});
  EXPECT_FALSE(help.options);
  EXPECT_EQ(help.status, 0);
  for (auto const* option :
       {"--state-dir", "--settle", "--chunk-size", "--transfers", "--log-level", "--foreground",
        "--nonempty", "--allow-other", "--config"}) {
    EXPECT_THAT(help.output, HasSubstr(option));
  }
  EXPECT_THAT(Parse({"--version"}).output, HasSubstr("tusfs "));
  EXPECT_EQ(Parse({"--version"}).status, 0);
}

// ---- what a keeper gives its daemons

class CommandLineTest : public OptionsTest {
 protected:
  static void ExpectSameAfterwards(Options const& options) {
    auto const words = CommandLineOf(options);
    auto const parsed = Parse(words);
    ASSERT_TRUE(parsed.options) << parsed.output << testing::PrintToString(words);
    EXPECT_EQ(parsed.options->url, options.url);
    EXPECT_EQ(parsed.options->mountpoint, options.mountpoint);
    EXPECT_EQ(parsed.options->state_dir, options.state_dir);
    EXPECT_EQ(parsed.options->settle, options.settle);
    EXPECT_EQ(parsed.options->chunk_size, options.chunk_size);
    EXPECT_EQ(parsed.options->transfers, options.transfers);
    EXPECT_EQ(parsed.options->log_level, options.log_level);
    EXPECT_EQ(parsed.options->foreground, options.foreground);
    EXPECT_EQ(parsed.options->nonempty, options.nonempty);
    EXPECT_EQ(parsed.options->allow_other, options.allow_other);
    EXPECT_EQ(parsed.options->kernel, options.kernel);
    EXPECT_EQ(CommandLineOf(*parsed.options), words);
  }
};

TEST_F(CommandLineTest, SaysTheDefaults) { ExpectSameAfterwards(Parsed({})); }

// Whatever --help offers is given another value than the default here.
TEST_F(CommandLineTest, PartsAreTheMountsOwn) {
  EXPECT_THAT(Refusal({"--delete-parts"}), HasSubstr("--delete-parts needs --parts"));
  for (auto const* other : {"--trim=confirmed", "--create-command=make", "--preset=opencloud"}) {
    EXPECT_THAT(Refusal({"--parts=auto", other}), HasSubstr("do not fit together")) << other;
    EXPECT_EQ(Parsed({"--parts=off", other}).parts, 0U);
  }
}

TEST_F(CommandLineTest, SaysEveryOption) {
  auto const options = Parsed({"--state-dir", "/var/lib/x", "--settle", "0.5", "--chunk-size=1MiB",
                               "--transfers", "7", "--log-level", "debug", "--foreground",
                               "--nonempty", "--allow-other", "-o", "nosuid,noexec", "-o", "sync"});
  ExpectAllSet(options);
  ExpectSameAfterwards(options);
  auto words = CommandLineOf(options);
  for (auto const& more :
       {kUploadOptions,
        {"--spool-size=64MiB", "--reserve=0", "--keep=1MiB", "--trim=confirmed", "--read-back",
         "--check=*.mov=media"},
        {"--core-dumps", "--make-mountpoint", "--import", "--volatile", "--control-group=video",
         "--retry-refused", "--lenient", "--give-up=3600", "--metrics=9817",
         "--create-command=make-upload --for rig", "--sha256=off", "--ledger-keep=31536000"},
        {"--on-uploaded=tell uploaded", "--on-stuck=tell stuck", "--on-server=tell server",
         "--server-away=60", "--hook-timeout=5"},
        {"--parts=auto", "--delete-parts"},
        {"--page=8080", "--page-token-file=/a", "--page-actions"},
        {"--link=wifi=wlan0", "--link=lte=wwan0:budget=10GiB/month:cost=5:limit=1MiB",
         "--patience=60"},
        {"--heartbeat=600", "--heartbeat-url=https://fleet.example/files/"},
        {"--url-file=" + UrlFile("http://tus/files/?token=s3cret\n")},
        {"--token-file=/a"},
        {"--basic-file=/a"},
        {"--header-file=/a"},
        {"--netrc-file=/a"},
        {"--token-command=get-token --for rig"}}) {
    auto const further = Parsed(more);
    ExpectSameAfterwards(further);
    auto const said = CommandLineOf(further);
    words.insert(words.end(), said.begin(), said.end());
  }
  auto const help = Parse({"--help"}).output;
  for (std::size_t at = help.find("  --"); at != std::string::npos;
       at = help.find("  --", at + 1)) {
    auto const name = help.substr(at + 2, help.find_first_of(" ,\n", at + 2) - at - 2);
    static std::set<std::string> const no_settings{"--help",         "--version", "--config",
                                                   "--check-config", "--move-to", "--dry-run"};
    if (no_settings.contains(name)) continue;
    EXPECT_THAT(words, testing::Contains(testing::StartsWith(name)));
  }
}

TEST_F(CommandLineTest, SaysWhatCameFromAFileWithoutTheFile) {
  auto const options =
      Parsed({"--config", File("transfers = 9\nforeground = true\n"), "-o", "settle=7,nodev"});
  EXPECT_EQ(options.transfers, 9);
  ExpectSameAfterwards(options);
  EXPECT_THAT(CommandLineOf(options), testing::Not(testing::Contains(HasSubstr("config"))));
}

TEST_F(CommandLineTest, SaysEveryLengthOfSettling) {
  for (int const milliseconds : {0, 1, 10, 999, 1000, 1001, 86'399'999, 86'400'000}) {
    Options options = Parsed({});
    options.settle = std::chrono::milliseconds(milliseconds);
    ExpectSameAfterwards(options);
  }
}

TEST_F(CommandLineTest, SaysPathsAsTheyAre) {
  for (std::string const path : {"/with space/and more", "/-o", "-relative", "--", "--help", "a=b",
                                 "=", "/a,b", "/[x]", "[]", "{}", "/\"quoted\"", "'quoted'",
                                 "/back\\slash", "/new\nline", "\t", "/ä", "%s", "/#"}) {
    Options options = Parsed({});
    options.mountpoint = path;
    options.state_dir = path;
    SCOPED_TRACE(path);
    ExpectSameAfterwards(options);
  }
}

TEST_F(OptionsTest, ADaemonGetsTheOptionsOfItsKeeper) {
  Options options;
  options.url = "https://host/files/";
  options.mountpoint = "/mnt/a b";
  options.state_dir = "/var/-x=1,y";
  options.settle = std::chrono::milliseconds(1234);
  options.adopt_timeout = std::chrono::seconds(0);
  options.chunk_size = std::uint64_t{8} << 20;
  options.transfers = 7;
  options.log_level = LogLevel::kWarn;
  options.foreground = options.nonempty = options.allow_other = true;
  options.kernel = {"nodev", "nosuid"};
  std::vector<std::string> const arguments = CommandLineOf(options);
  std::vector<char const*> argv{"tusfs"};
  for (auto const& argument : arguments) argv.push_back(argument.c_str());
  auto const parsed = ParseCommandLine(static_cast<int>(argv.size()), argv.data());
  ASSERT_TRUE(parsed.options) << parsed.output;
  EXPECT_EQ(CommandLineOf(*parsed.options), arguments);
  EXPECT_EQ(parsed.options->url, options.url);
  EXPECT_EQ(parsed.options->mountpoint, options.mountpoint);
  EXPECT_EQ(parsed.options->state_dir, options.state_dir);
  EXPECT_EQ(parsed.options->settle, options.settle);
  EXPECT_EQ(parsed.options->chunk_size, options.chunk_size);
  EXPECT_EQ(parsed.options->transfers, options.transfers);
  EXPECT_EQ(parsed.options->log_level, options.log_level);
  EXPECT_TRUE(parsed.options->foreground && parsed.options->nonempty &&
              parsed.options->allow_other);
  EXPECT_EQ(parsed.options->kernel, options.kernel);
}

TEST_F(OptionsTest, AFlagTakesTheSameWordsEverywhere) {
  EXPECT_TRUE(Parsed({"--http2"}).http2);
  EXPECT_TRUE(Parsed({"--http2", "--http2"}).http2);
  EXPECT_TRUE(Parsed({"--http2=true"}).http2);
  EXPECT_FALSE(Parsed({"--http2", "--http2=false"}).http2);
  for (auto const& words : {std::vector<std::string>{"--http2=no"}, {"-o", "http2=no"}}) {
    EXPECT_THAT(Refusal(words), HasSubstr("it takes true or false"));
  }
  EXPECT_THAT(Refusal({"--read-back=x"}), HasSubstr("read-back"));
}

}  // namespace
}  // namespace tusfs
