// Reads a file of a card once, from its beginning to its end, and digests its blocks.
//
// Constant memory for a file of any size. Any thread, several at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <stop_token>

#include "proof/source_tree.h"
#include "proof/verdict.h"

namespace tusfs {

/// `file`: of which ListSource has said `entry`. `passed(bytes)`: as they are read, in
/// order. What goes wrong is
/// in the result: a card that was pulled out is a problem of each of its files.
[[nodiscard]] SourceBytes ReadSource(std::filesystem::path const& file, SourceEntry const& entry,
                                     std::function<void(std::span<std::byte const>)> const& passed,
                                     std::stop_token const& stop);

}  // namespace tusfs
