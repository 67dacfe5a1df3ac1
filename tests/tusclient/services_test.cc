// The presets against a server that insists on what the services publish.
#include "tusclient/preset.h"
#include "wire_rig.h"

namespace tus {
namespace {

using tusfs_testing::Fault;
using tusfs_testing::FixtureServer;
using tusfs_testing::RandomBytes;
using tusfs_testing::Service;

constexpr std::size_t kMiB = 1024 * 1024;

Service ServiceOf(std::string const& preset) {
  if (preset == "cloudflare-stream") return Service::kCloudflareStream;
  return preset == "supabase" ? Service::kSupabase : Service::kOpenCloud;
}

class Presets : public testing::TestWithParam<std::string> {
 protected:
  Metadata FullMetadata() const {
    auto metadata =
        Expand(preset_.metadata,
               {.path = "dir/a.mov", .type = "video/quicktime", .modified = 1, .id = "i"});
    for (auto const& key : preset_.required) metadata.emplace_back(key, "given");
    return metadata;
  }

  Preset const preset_ = FindPreset(GetParam()).value();
  FixtureServer server_{{.service = ServiceOf(GetParam())}};
};

TEST_P(Presets, UploadFilesOfEverySizeWithoutARefusal) {
  for (std::size_t const size :
       {std::size_t{0}, std::size_t{1}, 5 * kMiB - 1, 6 * kMiB, 6 * kMiB + 1, 13 * kMiB}) {
    Uploader uploader(server_.Url(), preset_.chunks);
    uploader.options.metadata = FullMetadata();
    auto const bytes = RandomBytes(size);
    auto const receipt = uploader.Send(bytes);
    ASSERT_TRUE(receipt) << size << ": " << receipt.error().message;
    auto const upload = server_.Uploads().back();
    EXPECT_TRUE(upload.complete);
    EXPECT_TRUE(server_.Content(upload.id) == bytes) << size;
    EXPECT_TRUE(uploader.retries.empty()) << uploader.retries[0].message;
  }
  for (auto const& request : server_.Requests()) EXPECT_LT(request.status, 300);
}

TEST_P(Presets, GoOnFromAnOddOffsetAfterACut) {
  for (std::uint64_t const kept : {std::uint64_t{777'777}, std::uint64_t{5 * kMiB - 1}}) {
    // Without checksums, else the server keeps nothing of what was cut.
    FixtureServer server({.checksum = false, .service = ServiceOf(GetParam())});
    server.AddFault({.method = "PATCH", .nth = 2, .action = Fault::CutAfter(kept)});
    MemoryStore store;
    Uploader first(server.Url(), preset_.chunks);
    first.options.metadata = FullMetadata();
    first.RememberIn(store);
    first.options.give_up = std::chrono::milliseconds(1);
    auto const bytes = RandomBytes(19 * kMiB + 1);
    ASSERT_FALSE(first.Send(bytes));
    ASSERT_NE(server.Uploads().at(0).offset % 1024, 0U) << "not cut in the middle";

    Uploader next(server.Url(), preset_.chunks);
    next.options.metadata = FullMetadata();
    next.RememberIn(store);
    auto const receipt = next.Send(bytes);
    ASSERT_TRUE(receipt) << receipt.error().message;
    EXPECT_TRUE(receipt->resumed);
    EXPECT_TRUE(Published(server) == bytes);
    for (auto const& request : server.Requests()) EXPECT_LT(request.status, 300) << Methods(server);
  }
}

TEST_P(Presets, SendNoLengthLater) {
  Uploader uploader(server_.Url(), preset_.chunks);
  uploader.options.metadata = FullMetadata();
  EXPECT_FALSE(preset_.defer_length);
  auto const receipt = uploader.SendPipe(RandomBytes(60 * kMiB));
  ASSERT_FALSE(receipt);
  EXPECT_EQ(receipt.error().code, ErrorCode::kRefused);
}

TEST_P(Presets, NameTheKeysThatTheServiceRequires) {
  if (preset_.required.empty()) return;
  Uploader uploader(server_.Url(), preset_.chunks);
  uploader.options.metadata = Expand(preset_.metadata, {.path = "a", .type = "b/c"});
  auto const receipt = uploader.Send("x");
  ASSERT_FALSE(receipt);
  EXPECT_EQ(receipt.error().code, ErrorCode::kRefused);
  EXPECT_THAT(receipt.error().message, testing::HasSubstr(preset_.required.at(0)));
}

INSTANTIATE_TEST_SUITE_P(Services, Presets,
                         testing::Values("cloudflare-stream", "supabase", "opencloud"),
                         [](auto const& parameter) {
                           return parameter.param.substr(0, parameter.param.find('-'));
                         });

}  // namespace
}  // namespace tus
