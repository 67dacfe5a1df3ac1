#include "storm/parts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "testing/files.h"
#include "testing/wait_for.h"

namespace tusfs_testing {
namespace {

constexpr auto kUnconfirmed = "unconfirmed";
constexpr auto kUnknown = "completion unknown";
constexpr std::chrono::seconds kTimeToGo{60};

bool IsPublished(TestServer const& server, std::string const& path, std::string const& digest) {
  return std::ranges::any_of(server.Uploads(), [&](auto const& upload) {
    return upload.complete && !upload.partial && upload.Metadata("relativePath") == path &&
           Sha256OfFile(server.File(upload)) == digest;
  });
}

struct Decided {
  int accepted = 0;
  int retried = 0;
};

Decided DecideUnconfirmed(MountedTusfs const& mount, TestServer const& server) {
  Decided decided;
  auto const listed = TusfsCtl({"list", "--json", mount.mountpoint()});
  for (auto const& file : listed.json.value("files", nlohmann::json::array())) {
    if (file.value("state", "") != kUnconfirmed) continue;
    auto const path = file.value("path", "");
    bool const published = IsPublished(server, path, Sha256OfFile(mount / path));
    auto const said = TusfsCtl({published ? "accept" : "retry", mount / path});
    EXPECT_EQ(said.code, 0) << said.err;
    ++(published ? decided.accepted : decided.retried);
  }
  return decided;
}

// Those that are too many.
std::vector<UploadView> WronglyLoose(TestServer& server, std::size_t most) {
  auto loose = server.fixture()->LooseParts();
  std::erase_if(loose, [](auto const& part) { return part.offset == 0; });
  auto const is_whole = [](auto const& part) { return part.complete; };
  if (std::cmp_less_equal(std::ranges::count_if(loose, is_whole), most)) {
    std::erase_if(loose, is_whole);
  }
  return loose;
}

// What the server was asked about each of them, in order.
std::string Histories(TestServer& server, std::vector<UploadView> const& uploads) {
  std::string all;
  auto const requests = server.fixture()->Requests();
  for (auto const& upload : uploads) {
    all += "\n" + upload.id + ", " + std::to_string(upload.offset) + " of " +
           std::to_string(upload.length.value_or(0)) + " bytes:";
    for (auto const& request : requests) {
      if (!request.target.ends_with(upload.id)) continue;
      all += " " + request.method + "=" + std::to_string(request.status);
    }
  }
  return all;
}

}  // namespace

Command WithParts(Command options) {
  options.insert(options.end(), {"--parts", "4MiB", "--adopt-timeout", "5"});
  return options;
}

int AwaitArrivalOfParts(MountedTusfs const& mount, TestServer const& server) {
  int retried = 0;
  // What was said once does not have to be said again: nothing cuts a join any more.
  for (int turn = 0; turn < 2; ++turn) {
    if (mount.WaitUploaded() == 0) return retried;
    auto const decided = DecideUnconfirmed(mount, server);
    retried += decided.retried;
    if (decided.accepted + decided.retried == 0) break;
  }
  EXPECT_EQ(mount.WaitUploaded(), 0);
  return retried;
}

std::size_t UnknownCompletions(MountedTusfs const& mount) {
  auto const log = mount.Log();
  std::size_t count = 0;
  for (auto at = log.find(kUnknown); at != std::string::npos; at = log.find(kUnknown, at + 1)) {
    ++count;
  }
  return count;
}

void ExpectNoLooseParts(TestServer& server, std::size_t most) {
  if (WaitFor([&] { return WronglyLoose(server, most).empty(); }, kTimeToGo)) return;
  ADD_FAILURE() << "parts of which no whole was made are on the server, and not " << most
                << " whole ones at most:" << Histories(server, WronglyLoose(server, most));
}

}  // namespace tusfs_testing
