// Where in this process's memory a file is mapped, which LMDB does not say of its own.
#pragma once

#include <cstddef>
#include <span>

namespace tusfs {

/// The first mapping of the file `fd` that is shared and read only; empty where there is none.
[[nodiscard]] std::span<std::byte> FindMapping(int fd);

}  // namespace tusfs
