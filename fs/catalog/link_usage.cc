#include "catalog/link_usage.h"

#include <ctime>

#include "catalog/codec.h"

namespace tusfs {
namespace {

constexpr char const* kPrefix = "link.";
constexpr std::int32_t kDaysOfMonth = 100;    // as LocalDay writes them
constexpr std::int32_t kFirstDay = 20200101;  // a clock before it was never set

}  // namespace

void LinkUsage::TurnTo(std::int32_t on_day) {
  if (on_day < kFirstDay || on_day == day) return;
  if (on_day / kDaysOfMonth != day / kDaysOfMonth) month = 0;
  today = 0;
  day = on_day;
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
  return usage;
}

void PutLinkUsage(Transaction& transaction, std::string const& link, LinkUsage const& usage) {
  transaction.Put(Table::kMeta, kPrefix + link,
                  Encoder()
                      .Number(static_cast<std::uint32_t>(usage.day))
                      .Number(usage.today)
                      .Number(usage.month)
                      .Number(usage.total)
                      .Take());
}

}  // namespace tusfs
