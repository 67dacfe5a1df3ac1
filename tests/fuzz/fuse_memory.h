// What the fuzz targets of the fuse room share: requests as the kernel writes them, and a daemon
// that takes them over from memory.
#pragma once

#include <linux/fuse.h>

#include <cstddef>
#include <span>
#include <vector>

#include "base/file.h"
#include "fuse/request_slots.h"
#include "fuse/server.h"

namespace tusfs {

/// libfuse says nothing on stderr from now on.
void SilenceLibfuse();

/// FUSE_INIT of a kernel of today.
[[nodiscard]] std::vector<std::byte> GoodInit();

/// The slots of a mount that has just been made, over the same memory as `fd`.
[[nodiscard]] RequestSlots MapSlots(UniqueFd const& fd);

/// The header at the front of `bytes`, and zeros where it ends early.
[[nodiscard]] fuse_in_header HeaderOf(std::span<std::byte const> bytes);

/// Whether the kernel waits for an answer to it.
[[nodiscard]] bool WantsAnswer(fuse_in_header const& request);

/// A file in memory, which takes what is written to a device.
[[nodiscard]] UniqueFd MakeSink();
/// The headers of the answers that were written to a sink. Requires that they are whole.
[[nodiscard]] std::vector<fuse_out_header> AnswersIn(UniqueFd const& sink);

/// A descriptor of the same file.
[[nodiscard]] UniqueFd Duplicate(UniqueFd const& fd);

}  // namespace tusfs
