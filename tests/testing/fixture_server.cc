#include "testing/fixture_server.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "testing/tus_service.h"

namespace tusfs_testing {
namespace {

// A limited server must also look slow from the other end of the socket.
constexpr int kSmallReceiveBuffer = 256 * 1024;

}  // namespace

FixtureServer::FixtureServer(FixtureOptions options)
    : options_(std::move(options)), service_(std::make_unique<TusService>(options_)) {
  Start();
}

FixtureServer::~FixtureServer() { Stop(); }

void FixtureServer::Stop() {
  if (!http_) return;
  service_->Halt();
  http_->Stop();
  http_.reset();
}

void FixtureServer::Start() {
  if (http_) return;
  service_->Resume();
  int const buffer = options_.bytes_per_second > 0 ? kSmallReceiveBuffer : 0;
  http_ = std::make_unique<HttpServer>(
      options_.port, options_.keep_alive, buffer,
      [this](HttpExchange& exchange) { service_->Handle(exchange); }, options_.address);
  options_.port = http_->port();
}

std::string FixtureServer::Url() const {
  return "http://" + options_.address + ":" + std::to_string(options_.port) + "/files/";
}

FixtureStats FixtureServer::Stats() const { return service_->Stats(); }
std::vector<UploadView> FixtureServer::Uploads() const { return service_->Uploads(); }

std::optional<UploadView> FixtureServer::FindUpload(std::string const& name) const {
  std::optional<UploadView> found;
  for (auto& upload : service_->Uploads()) {
    if (upload.Metadata("relativePath") == name || upload.Metadata("filename") == name) {
      found = std::move(upload);
    }
  }
  return found;
}

std::vector<UploadView> FixtureServer::LooseParts() const {
  auto const uploads = service_->Uploads();
  std::set<std::string> joined;
  for (auto const& upload : uploads) joined.insert(upload.parts.begin(), upload.parts.end());
  std::vector<UploadView> loose;
  std::ranges::copy_if(uploads, std::back_inserter(loose), [&](auto const& upload) {
    return upload.partial && !joined.contains(upload.id);
  });
  return loose;
}

std::string FixtureServer::Content(std::string const& id) const { return service_->Content(id); }
std::vector<RequestRecord> FixtureServer::Requests() const { return service_->Requests(); }
void FixtureServer::AddFault(FaultRule rule) { service_->AddFault(std::move(rule)); }
void FixtureServer::ClearFaults() { service_->ClearFaults(); }
void FixtureServer::ReleaseStalled() { service_->ReleaseStalled(); }
int FixtureServer::Stalled() const { return service_->Stalled(); }
int FixtureServer::Joining() const { return service_->Joining(); }
bool FixtureServer::Forget(std::string const& id) { return service_->Forget(id); }
void FixtureServer::SetRate(std::uint64_t bytes_per_second) { service_->SetRate(bytes_per_second); }
bool FixtureServer::Rewind(std::string const& id, std::uint64_t offset) {
  return service_->Rewind(id, offset);
}
void FixtureServer::Require(Headers headers) { service_->Require(std::move(headers)); }

}  // namespace tusfs_testing
