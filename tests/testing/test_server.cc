#include "testing/test_server.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "testing/counting_proxy.h"
#include "testing/files.h"
#include "testing/process.h"
#include "testing/wait_for.h"

namespace tusfs_testing {
namespace {

namespace fs = std::filesystem;

/// Where tests/run.sh puts the real servers.
fs::path ServersDirectory() {
  char const* const given = ::getenv("TUSFS_SERVERS");
  return given != nullptr ? given : TUSFS_SERVERS_DEFAULT;
}

fs::path TusdProgram() {
  char const* const given = ::getenv("TUSFS_TUSD");
  return given != nullptr ? fs::path(given) : ServersDirectory() / "tusd";
}

/// Where cargo install puts it.
fs::path RustusProgram() { return ServersDirectory() / "rustus/bin/rustus"; }

class FixtureTestServer final : public TestServer {
 public:
  FixtureTestServer(fs::path directory, std::uint64_t bytes_per_second)
      : directory_(std::move(directory)),
        server_({.storage = Storage::kDirectory,
                 .directory = directory_,
                 .bytes_per_second = bytes_per_second}) {}

  std::string Url() const override { return server_.Url(); }
  std::vector<UploadView> Uploads() const override { return server_.Uploads(); }
  fs::path File(UploadView const& upload) const override { return directory_ / upload.id; }
  std::uint64_t SentBytes() const override { return server_.Stats().received_bytes; }
  void SetRate(std::uint64_t bytes_per_second) override { server_.SetRate(bytes_per_second); }
  void Kill() override { server_.Stop(); }
  void Restart() override { server_.Start(); }
  FixtureServer* fixture() override { return &server_; }

 private:
  fs::path const directory_;
  FixtureServer server_;
};

/// A server that is a program of its own, behind the proxy.
class ProcessServer : public TestServer {
 public:
  ProcessServer(fs::path directory, std::uint64_t bytes_per_second)
      : directory_(std::move(directory)), proxy_(bytes_per_second) {
    fs::create_directories(directory_);
  }

  std::string Url() const override {
    return "http://127.0.0.1:" + std::to_string(proxy_.port()) + "/files/";
  }
  fs::path File(UploadView const& upload) const override { return directory_ / upload.id; }
  std::uint64_t SentBytes() const override { return proxy_.sent_bytes(); }
  void SetRate(std::uint64_t bytes_per_second) override { proxy_.SetRate(bytes_per_second); }

  void Kill() override {
    proxy_.Stop();
    child_.Signal(SIGKILL);
    (void)child_.Wait(std::chrono::seconds(10));
  }

  void Restart() override {
    fs::path const log = log_ / std::to_string(++starts_);
    child_.Start(StartCommand(), log, log);
    std::uint16_t port = 0;
    if (!WaitFor([&] { return (port = PortIn(ReadFile(log))) != 0 || !child_.Running(); }) ||
        port == 0) {
      throw std::runtime_error("the server did not start: " + ReadFile(log));
    }
    proxy_.Start(port);
  }

  std::vector<UploadView> Uploads() const override {
    std::vector<std::pair<fs::file_time_type, UploadView>> found;
    for (auto const& entry : fs::directory_iterator(directory_)) {
      if (entry.path().extension() != RecordExtension()) continue;
      // A record that is being rewritten at this moment is not one yet.
      auto const record = nlohmann::json::parse(ReadFile(entry.path()), nullptr, false);
      if (!record.is_object()) continue;
      UploadView view = Parse(record);
      view.id = entry.path().stem();
      std::error_code missing;
      auto const size = fs::file_size(directory_ / view.id, missing);
      if (missing) continue;
      view.offset = size;
      view.complete = view.length == size;
      found.emplace_back(entry.last_write_time(), std::move(view));
    }
    std::ranges::sort(found, {}, [](auto const& item) { return item.first; });
    std::vector<UploadView> views;
    for (auto& [time, view] : found) views.push_back(std::move(view));
    return views;
  }

 protected:
  virtual Command StartCommand() const = 0;
  virtual std::uint16_t PortIn(std::string const& output) const = 0;
  virtual std::string RecordExtension() const = 0;
  virtual UploadView Parse(nlohmann::json const& record) const = 0;

  static std::map<std::string, std::string> Strings(nlohmann::json const& record,
                                                    std::string const& key) {
    std::map<std::string, std::string> strings;
    if (!record.contains(key) || !record[key].is_object()) return strings;
    for (auto const& [name, value] : record[key].items()) {
      if (value.is_string()) strings[name] = value.get<std::string>();
    }
    return strings;
  }

  static std::uint16_t PortAfter(std::string const& output, std::string const& marker) {
    std::size_t const at = output.find(marker);
    // Only a whole line: the rest of a number may still be on its way.
    if (at == std::string::npos || output.find('\n', at) == std::string::npos) return 0;
    char const* const digits = output.data() + at + marker.size();
    std::uint16_t port = 0;
    std::from_chars(digits, output.data() + output.size(), port);
    return port;
  }

  fs::path const directory_;

 private:
  TempDir const log_;
  CountingProxy proxy_;
  ChildProcess child_;
  int starts_ = 0;
};

class NodeServer final : public ProcessServer {
 public:
  NodeServer(fs::path directory, std::uint64_t rate, std::chrono::milliseconds expire_after = {})
      : ProcessServer(std::move(directory), rate), expire_after_(expire_after) {
    Restart();
  }

 private:
  std::chrono::milliseconds const expire_after_;  // 0: never

  Command StartCommand() const override {
    return {"node", ServersDirectory() / "tus_server.mjs", directory_,
            std::to_string(expire_after_.count())};
  }
  std::uint16_t PortIn(std::string const& output) const override { return PortAfter(output, ""); }
  std::string RecordExtension() const override { return ".json"; }
  UploadView Parse(nlohmann::json const& record) const override {
    UploadView view;
    view.metadata = Strings(record, "metadata");
    if (record.contains("size") && record["size"].is_number()) view.length = record["size"];
    return view;
  }
};

class Tusd final : public ProcessServer {
 public:
  Tusd(fs::path directory, std::uint64_t rate) : ProcessServer(std::move(directory), rate) {
    Restart();
  }

 private:
  Command StartCommand() const override {
    return {TusdProgram(), "-host", "127.0.0.1", "-port", "0", "-upload-dir", directory_};
  }
  std::uint16_t PortIn(std::string const& output) const override {
    return PortAfter(output, "http://127.0.0.1:");
  }
  std::string RecordExtension() const override { return ".info"; }
  UploadView Parse(nlohmann::json const& record) const override {
    UploadView view;
    view.metadata = Strings(record, "MetaData");
    view.partial = record.value("IsPartial", false);
    if (!record.value("SizeIsDeferred", false)) view.length = record.value("Size", 0ULL);
    return view;
  }
};

/// One that nobody listens on now.
std::uint16_t FreePort() {
  int const fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  bool const found =
      fd >= 0 && ::bind(fd, generic, size) == 0 && ::getsockname(fd, generic, &size) == 0;
  if (fd >= 0) ::close(fd);
  if (!found) throw std::runtime_error("there is no free port");
  return ntohs(address.sin_port);
}

/// It does not say which port it got, so it is told one.
class Rustus final : public ProcessServer {
 public:
  Rustus(fs::path directory, std::uint64_t rate) : ProcessServer(std::move(directory), rate) {
    Restart();
  }

 private:
  Command StartCommand() const override {
    return {RustusProgram(), "--host",   "127.0.0.1",  "--port",  std::to_string(port_),
            "--data-dir",    directory_, "--info-dir", directory_};
  }
  std::uint16_t PortIn(std::string const& output) const override {
    return output.find("Tokio runtime found") != std::string::npos ? port_ : std::uint16_t{0};
  }
  std::string RecordExtension() const override { return ".info"; }
  UploadView Parse(nlohmann::json const& record) const override {
    UploadView view;
    view.metadata = Strings(record, "metadata");
    view.partial = record.value("is_partial", false);
    if (record.contains("length") && record["length"].is_number()) view.length = record["length"];
    return view;
  }

  std::uint16_t const port_ = FreePort();
};

}  // namespace

std::string Name(ServerKind kind) {
  if (kind == ServerKind::kNode) return "TusNode";
  if (kind == ServerKind::kRustus) return "Rustus";
  return kind == ServerKind::kTusd ? "Tusd" : "Fixture";
}

std::string TestServer::WhyNot(ServerKind kind) {
  if (kind == ServerKind::kNode) {
    if (!HaveProgram("node")) return "@tus/server: there is no node";
    if (!fs::exists(ServersDirectory() / "node_modules/@tus/server/package.json")) {
      return "@tus/server is not in " + ServersDirectory().string() +
             " (tests/run.sh puts it there)";
    }
  }
  if (kind == ServerKind::kTusd && ::access(TusdProgram().c_str(), X_OK) != 0) {
    return "tusd is not at " + TusdProgram().string() + " (tests/run.sh builds it)";
  }
  if (kind == ServerKind::kRustus && ::access(RustusProgram().c_str(), X_OK) != 0) {
    return "rustus is not at " + RustusProgram().string() +
           " (tests/run.sh builds it with TUSFS_LONG=1)";
  }
  return "";
}

std::unique_ptr<TestServer> TestServer::Start(ServerKind kind, fs::path const& directory,
                                              std::uint64_t bytes_per_second) {
  switch (kind) {
    case ServerKind::kNode:
      return std::make_unique<NodeServer>(directory, bytes_per_second);
    case ServerKind::kTusd:
      return std::make_unique<Tusd>(directory, bytes_per_second);
    case ServerKind::kRustus:
      return std::make_unique<Rustus>(directory, bytes_per_second);
    case ServerKind::kFixture:
      break;
  }
  return std::make_unique<FixtureTestServer>(directory, bytes_per_second);
}

std::unique_ptr<TestServer> TestServer::StartExpiringNode(std::filesystem::path const& directory,
                                                          std::chrono::milliseconds expire_after) {
  return std::make_unique<NodeServer>(directory, 0, expire_after);
}

std::optional<UploadView> TestServer::Find(std::string const& name) const {
  std::optional<UploadView> found;
  for (auto& upload : Uploads()) {
    if (upload.Metadata("relativePath") == name || upload.Metadata("filename") == name) {
      found = std::move(upload);
    }
  }
  return found;
}

int TestServer::Published(std::string const& name) const {
  int published = 0;
  for (auto const& upload : Uploads()) {
    bool const named =
        upload.Metadata("relativePath") == name || upload.Metadata("filename") == name;
    if (named && upload.complete && !upload.partial) ++published;
  }
  return published;
}

}  // namespace tusfs_testing
