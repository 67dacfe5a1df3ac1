// What tusfsctl and the daemon say to each other, and the files by which mounts are found: whoever
// may write there, and whatever version they are of.
//
// An input is a line with one word, and then what it is about:
//     ask      requests to a daemon, one a line
//     entry    a file of the registry
//     answer   of a daemon to tusfsctl
#include <algorithm>
#include <array>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "base/text.h"
#include "catalog/namespace.h"
#include "catalog/tables.h"
#include "control/answers.h"
#include "control/commands.h"
#include "control/registry.h"
#include "fuzz_target.h"
#include "small_mount.h"

namespace tusfs {
namespace {

using nlohmann::json;
using tus::fuzz::Require;

constexpr std::size_t kMostRequests = 16;
constexpr std::string_view kSecret = "0f3c9d27a41b8e65";  // the name of an upload
constexpr std::array<std::string_view, 5> kNames{"clip.mov", "half.mov", "refused.mov", "bad\xff",
                                                 "new\nline"};
// As JSON shows them, and the mount itself.
std::set<std::string> const kPaths{"",         "day",         "day/one.mov",     "clip.mov",
                                   "half.mov", "refused.mov", "bad\xef\xbf\xbd", "new\nline"};

// ---- requests to a daemon

class Daemon {
 public:
  Daemon() {
    for (auto const name : kNames) mount_.AddFile(name, "some bytes");
    auto const day =
        mount_.filesystem().MakeDirectory(SmallMount::kUser, kRootInode, "day", 0755).value();
    mount_.AddFile("one.mov", "some bytes", day.inode);
    Change("half.mov", Content::kInterrupted, UploadPhase::kCreated);
    Change("refused.mov", Content::kFinished, UploadPhase::kUnconfirmed);
  }

  void Ask(std::string const& request) {
    std::string text;
    commands_.Answer(request, [&](std::string_view piece) {
      text += piece;
      return true;
    });
    static_cast<void>(Commands::WatchedBy(request));
    Require(text.find('\n') == std::string::npos, "an answer is one line", text);
    auto const answer = json::parse(text, nullptr, false);
    Require(answer.is_object(), "an answer is a JSON object", text);
    auto const error = answer.find("error");
    bool const failed = error != answer.end();
    Require(!failed || (error->is_string() && !error->get<std::string>().empty()),
            "a failure is a sentence", text);
    Require(failed || answer.contains("files"), "an answer has files or an error", text);
    if (!failed && answer["files"].is_array()) RequireFiles(answer["files"], text);
    Require(MayKnowUrls(request) || text.find(kSecret) == std::string::npos,
            "URLs are secrets unless they are asked for", text);
  }

 private:
  void Change(std::string_view name, Content content, UploadPhase phase) {
    auto const changed = mount_.store().Update([&](Transaction& transaction) -> Result<void> {
      auto const entry = FindEntry(transaction, kRootInode, name).value();
      auto inode = GetInode(transaction, entry->inode).value();
      Upload const upload{.id = Uuid::Random(),
                          .owner = inode.id,
                          .version = inode.version,
                          .phase = phase,
                          .url = SmallMount::kEndpoint + std::string(kSecret),
                          .path = std::string(name),
                          .offset = 4,
                          .frontier = 4,
                          .length = {},
                          .created = 0,
                          .expires = std::numeric_limits<FileTime>::max(),
                          .at_rest = 0,
                          .error = {},
                          .receipt = {}};
      inode.upload = upload.id;
      inode.content = content;
      PutUpload(transaction, upload);
      PutInode(transaction, inode);
      return {};
    });
    Require(changed.has_value(), "the catalog takes rows");
  }

  static void RequireFiles(json const& files, std::string const& text) {
    for (auto const& file : files) {
      Require(file.is_object() && file.contains("path") && file.contains("error"),
              "each file has a path", text);
      Require(kPaths.contains(file["path"].get<std::string>()), "a path is one of the mount", text);
    }
  }

  /// It asks for them, or says one itself: a fuzzer guesses it by watching comparisons.
  static bool MayKnowUrls(std::string const& request) {
    auto const object = json::parse(request, nullptr, false);
    if (!object.is_object()) return false;
    auto const text = object.dump(-1, ' ', false, json::error_handler_t::replace);
    return text.find(kSecret) != std::string::npos || object.value("urls", json()) == true;
  }

  SmallMount mount_;
  Reporter const reporter_{mount_.store(), mount_.spool(), mount_.uploader(), mount_.finishing()};
  Decisions decisions_{mount_.store(),
                       mount_.filesystem().open_files(),
                       mount_.filesystem().shrinker(),
                       mount_.uploader(),
                       mount_.finishing(),
                       mount_.clock()};
  tus::BandwidthLimit bandwidth_;
  Controls controls_{mount_.store(), mount_.uploader(), bandwidth_, std::make_shared<Log>(nullptr)};
  Hooks const hooks_{{}, mount_.clock(), std::make_shared<Log>(nullptr)};
  Commands const commands_{{.mount = "/mnt/ingest",
                            .url = SmallMount::kEndpoint,
                            .state_dir = "",
                            .socket = "",
                            .daemon_pid = 4711},
                           reporter_,
                           decisions_,
                           controls_,
                           [] { return Result<void>(); },
                           hooks_};
};

void AskDaemon(std::string_view text) {
  Daemon daemon;
  for (std::size_t i = 0; i < kMostRequests && !text.empty(); ++i) {
    daemon.Ask(std::string(tus::fuzz::TakeLine(text)));
  }
}

// ---- the registry

auto Fields(MountEntry const& entry) {
  return std::tie(entry.mount, entry.url, entry.state_dir, entry.socket, entry.daemon_pid,
                  entry.starts, entry.last_end, entry.problem);
}

void RequireName(std::filesystem::path const& directory, std::string const& mount) {
  auto const socket = SocketPath(directory, mount);
  Require(socket.parent_path() == directory, "a mount's files lie in the registry",
          socket.native());
  Require(socket.filename().native().size() <= 60, "a socket's name is short", socket.native());
  auto const escaped = EscapePath(mount);
  Require(!escaped.empty() && escaped.front() != '.' &&
              escaped.find_first_of(std::string_view("/\n\0", 3)) == std::string::npos,
          "an escaped path is one component", escaped);
}

void ReadEntry(std::string_view text) {
  tusfs_testing::TempDir const dir;
  ::setenv("TUSFS_RUNTIME_DIR", dir.path().c_str(), 1);
  RequireName(dir.path(), std::string(text));
  auto const file = dir / "fuzz.json";
  tusfs_testing::WriteFile(file, text);
  auto const found = ListMounts();
  Require(found.size() <= 1, "a file is one mount or none");
  if (found.empty()) return;
  auto const& entry = found.front();
  Require(!entry.mount.empty() && !entry.socket.empty(), "an entry says where a mount is");
  RequireName(dir.path(), entry.mount);
  std::filesystem::remove(file);
  Require(RegisterMount(dir.path(), entry).has_value(), "what was read can be written");
  auto const again = ListMounts();
  Require(again.size() == 1, "what was written is found");
  if (entry.daemon_pid < 0) return;  // no process has such a number
  Require(Fields(again.front()) == Fields(entry), "every field of an entry comes back");
}

// ---- answers to tusfsctl

/// What is shown, or nothing where the answer is of another shape.
template <typename Show>
void RequireShown(Show const& show) {
  try {
    std::string const shown = show();
    for (std::string_view rest = shown; !rest.empty();) {
      auto const line = tus::fuzz::TakeLine(rest);
      if (!line.empty())
        Require(Printable(line) == line, "what is shown has no control characters", line);
    }
  } catch (json::exception const&) {
  }
}

void ReadDaemonsAnswer(std::string_view text) {
  auto const answer = ReadAnswer(std::string(text));
  if (!answer) return;
  for (bool const with_bars : {false, true}) {
    RequireShown([&] { return ShowFiles(*answer, with_bars); });
    RequireShown([&] { return ShowMount(*answer, with_bars); });
    json whole = *answer;
    whole.update({{"daemon_pid", 1}, {"keeper_pid", nullptr}});
    RequireShown([&] { return ShowMount(whole, with_bars); });
  }
}

}  // namespace
}  // namespace tusfs

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  std::string_view text(reinterpret_cast<char const*>(data), size);
  auto const word = tus::fuzz::TakeLine(text);
  if (word == "ask") tusfs::AskDaemon(text);
  if (word == "entry") tusfs::ReadEntry(text);
  if (word == "answer") tusfs::ReadDaemonsAnswer(text);
  return 0;
}
