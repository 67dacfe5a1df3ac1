#include "catalog/link_usage.h"

#include <ctime>
#include <iterator>
#include <utility>

#include "catalog/codec.h"

namespace tusfs {
namespace {

constexpr char const* kPrefix = "link.";
constexpr std::int32_t kDaysOfMonth = 100;    // as LocalDay writes them
constexpr std::int32_t kFirstDay = 20200101;  // a clock before it was never set
/// Enough for two months, and for clocks that went wrong.
constexpr std::size_t kMostDays = 100;

void ForgetFarthest(std::map<std::int32_t, std::uint64_t>& days, std::int32_t from) {
  bool const is_first = from - days.begin()->first > std::prev(days.end())->first - from;
  days.erase(is_first ? days.begin() : std::prev(days.end()));
}

}  // namespace

void LinkUsage::TurnTo(std::int32_t on_day) {
  if (on_day < kFirstDay || on_day == day) return;
  if (day != 0 && today > 0) others[day] = today;
  day = on_day;
  today = 0;
  if (auto const before = others.extract(on_day)) today = before.mapped();
  month = today;
  for (auto const& [other, bytes] : others) {
    if (other / kDaysOfMonth == day / kDaysOfMonth) month += bytes;
  }
  while (others.size() > kMostDays) ForgetFarthest(others, day);
}

std::int32_t LocalDay(FileTime when) {
  auto const seconds = ToTimespec(when).tv_sec;
  std::tm local{};
  if (::localtime_r(&seconds, &local) == nullptr) return 0;
  return ((local.tm_year + 1900) * kDaysOfMonth + local.tm_mon + 1) * kDaysOfMonth + local.tm_mday;
}

Result<LinkUsage> GetLinkUsage(View const& view, std::string const& link) {
  auto const row = view.Get(Table::kMeta, kPrefix + link);
  if (!row) return Failure(row.error());
  LinkUsage usage;
  if (!*row) return usage;
  Decoder decoder(**row);
  usage.day = static_cast<std::int32_t>(decoder.Number<std::uint32_t>());
  usage.today = decoder.Number<std::uint64_t>();
  usage.month = decoder.Number<std::uint64_t>();
  usage.total = decoder.Number<std::uint64_t>();
  for (auto count = decoder.Number<std::uint32_t>(); count > 0; --count) {
    auto const day = static_cast<std::int32_t>(decoder.Number<std::uint32_t>());
    usage.others[day] = decoder.Number<std::uint64_t>();
  }
  return usage;
}

void PutLinkUsage(Transaction& transaction, std::string const& link, LinkUsage const& usage) {
  Encoder encoder;
  encoder.Number(static_cast<std::uint32_t>(usage.day))
      .Number(usage.today)
      .Number(usage.month)
      .Number(usage.total)
      .Number(static_cast<std::uint32_t>(usage.others.size()));
  for (auto const& [day, bytes] : usage.others) {
    encoder.Number(static_cast<std::uint32_t>(day)).Number(bytes);
  }
  transaction.Put(Table::kMeta, kPrefix + link, std::move(encoder).Take());
}

}  // namespace tusfs
