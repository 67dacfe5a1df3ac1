// SIGKILL to keeper and daemon at once, in the middle of work, and a mount again: everything that
// returned success before is there, nothing that was cut short is published, and nothing is sent
// twice.

#include <utility>

#include "mount/mount_test.h"
#include "storm/parts.h"
#include "storm/promises.h"
#include "storm/storm.h"

namespace tusfs_testing {
namespace {

constexpr std::uint64_t kChunk = kMiB / 4;
constexpr std::uint64_t kTransfers = 4;
constexpr std::uint64_t kPart = 4 * kMiB;

using RemountsStorm = MountTest;

TEST_F(RemountsStorm, WhatReturnedIsThereAndHalfAFileIsNeverPublished) {
  Storm storm("remounts", "kills", 12);
  StartServer(ServerKind::kFixture);
  bool const in_parts = storm.InParts();
  Command options{"--chunk-size", "256KiB"};
  if (in_parts) options = WithParts(std::move(options));
  MountedTusfs mount(server_->Url(), options);
  Promises promises(storm.seed(), in_parts ? kSizesInParts : WriterSizes{});
  for (int i = 0; i < storm.count(); ++i) {
    ASSERT_EQ(mount.Mount(), "");
    promises.CheckMount(mount, Death::kProcess);
    promises.StartWriters(mount.mountpoint(), 4);
    std::this_thread::sleep_for(std::chrono::milliseconds(storm.Between(0, 1000)));
    mount.Kill9();
    promises.JoinWriters();
    storm.Done();
  }
  ASSERT_EQ(mount.Mount(), "");
  promises.CheckMount(mount, Death::kProcess);
  std::uint64_t retried = 0;
  if (in_parts) {
    retried = static_cast<std::uint64_t>(AwaitArrivalOfParts(mount, *server_));
    ExpectNoLooseParts(*server_, retried * kSizesInParts.most_file / kPart);
  } else {
    EXPECT_EQ(mount.WaitUploaded(), 0);
  }
  promises.CheckServer(*server_);
  // Of what the server has got nothing is sent again, but for the chunks that each kill cut, and
  // files of which nobody knew whether they were joined.
  auto const kills = static_cast<std::uint64_t>(storm.count());
  auto const sent = server_->SentBytes();
  EXPECT_LE(sent,
            promises.bytes() + kills * kTransfers * kChunk + retried * kSizesInParts.most_file);
  storm.SetDetails("files " + std::to_string(promises.files()) + ", interrupted " +
                   std::to_string(promises.interrupted()) + ", MiB written " +
                   std::to_string(promises.bytes() / kMiB) + ", sent " +
                   std::to_string(sent / kMiB));
  EXPECT_EQ(mount.Unmount(), 0);
}

}  // namespace
}  // namespace tusfs_testing
