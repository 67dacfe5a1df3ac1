// The tus servers to test against, behind one face: our fixture, @tus/server, tusd, rustus.
//
// Each keeps its uploads in a directory of the test, counts what was sent to it, can be slowed
// down, killed and started again. The real ones sit behind a CountingProxy, whose count includes
// request headers. For the test's own thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "testing/fixture_server.h"
#include "testing/stored_upload.h"

namespace tusfs_testing {

enum class ServerKind { kFixture, kNode, kTusd, kRustus };

/// For test names: "Fixture", "TusNode", "Tusd", "Rustus".
[[nodiscard]] std::string Name(ServerKind kind);
/// For GoogleTest.
inline void PrintTo(ServerKind kind, std::ostream* out) { *out << Name(kind); }

class TestServer {
 public:
  TestServer() = default;
  TestServer(TestServer const&) = delete;
  TestServer& operator=(TestServer const&) = delete;
  virtual ~TestServer() = default;

  /// Why this kind cannot run on this machine; empty when it can.
  [[nodiscard]] static std::string WhyNot(ServerKind kind);
  /// Starts one with its uploads in `directory`. Throws std::runtime_error when it does not come
  /// up.
  [[nodiscard]] static std::unique_ptr<TestServer> Start(ServerKind kind,
                                                         std::filesystem::path const& directory,
                                                         std::uint64_t bytes_per_second = 0);
  /// @tus/server that deletes uploads so long after their creation.
  [[nodiscard]] static std::unique_ptr<TestServer> StartExpiringNode(
      std::filesystem::path const& directory, std::chrono::milliseconds expire_after);

  [[nodiscard]] virtual std::string Url() const = 0;
  [[nodiscard]] virtual std::vector<UploadView> Uploads() const = 0;
  /// The file that holds an upload's bytes.
  [[nodiscard]] virtual std::filesystem::path File(UploadView const& upload) const = 0;
  /// What clients sent to it so far, in bytes.
  [[nodiscard]] virtual std::uint64_t SentBytes() const = 0;
  virtual void SetRate(std::uint64_t bytes_per_second) = 0;
  /// With SIGKILL where it is a process; its port is closed.
  virtual void Kill() = 0;
  /// At the same URL, with the uploads it had.
  virtual void Restart() = 0;
  /// The fixture itself, or nullptr.
  [[nodiscard]] virtual FixtureServer* fixture() { return nullptr; }

  /// The newest upload whose relativePath or filename is `name`.
  [[nodiscard]] std::optional<UploadView> Find(std::string const& name) const;
  /// Complete uploads of that name: each is one publication.
  [[nodiscard]] int Published(std::string const& name) const;
};

}  // namespace tusfs_testing
