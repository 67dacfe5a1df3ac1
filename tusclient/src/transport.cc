#include "tusclient/transport.h"

#include "text.h"

namespace tus {

std::optional<std::string_view> HttpResponse::Find(std::string_view name) const {
  for (auto header = headers.rbegin(); header != headers.rend(); ++header) {
    if (EqualsIgnoreCase(header->name, name)) return header->value;
  }
  return std::nullopt;
}

}  // namespace tus
