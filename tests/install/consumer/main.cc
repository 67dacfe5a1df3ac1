// usage: consumer URL TEXT: uploads TEXT and says how many bytes arrived.
#include <tusclient/client.h>
#include <tusclient/data_source.h>
#include <tusclient/transport.h>
#include <tusclient/upload.h>

#include <chrono>
#include <cstdio>
#include <span>
#include <string>

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fputs("usage: consumer URL TEXT\n", stderr);
    return 2;
  }
  std::string const text = argv[2];
  tus::MemorySource source(std::as_bytes(std::span(text)));
  auto const transport = tus::MakeCurlTransport({});
  tus::Client client({.endpoint = argv[1]}, *transport);
  tus::UploadOptions options;
  options.metadata = {{"filename", "greeting.txt"}};
  options.give_up = std::chrono::seconds(10);
  auto const receipt = tus::Upload(client, options).Send(source, text.size());
  if (!receipt) {
    std::fprintf(stderr, "consumer: %s\n", receipt.error().message.c_str());
    return 1;
  }
  std::printf("%llu bytes\n", static_cast<unsigned long long>(receipt->size));
  return 0;
}
