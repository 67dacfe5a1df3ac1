// client-bench ENDPOINT FILE MIB: uploads FILE in bodies of that many MiB, or for 0 as large as the
// server takes, and prints the seconds that took. Run by client.sh.
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <string_view>

#include "tusclient/client.h"
#include "tusclient/data_source.h"
#include "tusclient/server_profile.h"
#include "tusclient/transport.h"
#include "tusclient/upload.h"

namespace {

std::optional<std::uint64_t> BodySize(std::string_view mib) {
  std::uint64_t number = 0;
  auto const [end, error] = std::from_chars(mib.data(), mib.data() + mib.size(), number);
  if (error != std::errc() || end != mib.data() + mib.size()) return std::nullopt;
  if (number >= tus::ChunkRules::kUnlimited >> 20) return std::nullopt;
  return number == 0 ? tus::ChunkRules::kUnlimited : number << 20;
}

int Fail(tus::Error const& error) {
  std::fprintf(stderr, "client-bench: %s\n", error.message.c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  auto const body_size = argc == 4 ? BodySize(argv[3]) : std::nullopt;
  if (!body_size) {
    std::fprintf(stderr, "usage: client-bench ENDPOINT FILE MIB\n");
    return 2;
  }
  auto const endpoint = tus::NormalizeEndpoint(argv[1]);
  if (!endpoint) return Fail(endpoint.error());
  auto const file = tus::FileSource::Open(argv[2]);
  if (!file) return Fail(file.error());

  auto const transport = tus::MakeCurlTransport({});
  tus::Client client({.endpoint = *endpoint}, *transport);
  tus::ServerProfile profile({.size = *body_size});
  tus::UploadOptions options;
  options.profile = &profile;
  options.checksums = false;                       // the other clients have none
  options.give_up = std::chrono::milliseconds(0);  // a retry would be measured along
  tus::Upload upload(client, options);

  auto const begin = std::chrono::steady_clock::now();
  auto const receipt = upload.Send(**file, (*file)->size());
  std::chrono::duration<double> const elapsed = std::chrono::steady_clock::now() - begin;
  if (!receipt) return Fail(receipt.error());
  std::printf("%.6f\n", elapsed.count());
  return 0;
}
