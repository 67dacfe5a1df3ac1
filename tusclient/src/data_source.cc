#include "tusclient/data_source.h"

#include <algorithm>

namespace tus {

Result<std::size_t> MemorySource::ReadAt(std::uint64_t offset, std::span<std::byte> out) {
  if (offset >= bytes_.size()) return 0;
  auto const rest = bytes_.subspan(static_cast<std::size_t>(offset));
  auto const count = std::min(rest.size(), out.size());
  std::copy_n(rest.begin(), count, out.begin());
  return count;
}

}  // namespace tus
