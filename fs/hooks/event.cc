#include "hooks/event.h"

#include <cerrno>
#include <ctime>
#include <nlohmann/json.hpp>

#include "base/iso_time.h"
#include "catalog/codec.h"

namespace tusfs {
namespace {

constexpr std::uint8_t kEventVersion = 1;
constexpr std::string_view kPrefix = "hook.";

std::string PrefixOf(Lane lane) {
  return std::string(kPrefix) + static_cast<char>('0' + static_cast<int>(lane));
}

EventKind KindOf(Passing const& passing) {
  switch (passing.into) {
    case life::Standing::kInterrupted:
      return EventKind::kInterrupted;
    case life::Standing::kFailed:
      return EventKind::kFailed;
    case life::Standing::kUnconfirmed:
      return EventKind::kUnconfirmed;
    case life::Standing::kUploaded:
    case life::Standing::kOpen:
      break;
  }
  return EventKind::kUploaded;
}

}  // namespace

std::string_view WordOf(EventKind kind) {
  switch (kind) {
    case EventKind::kUploaded:
      return "uploaded";
    case EventKind::kInterrupted:
      return "interrupted";
    case EventKind::kFailed:
      return "failed";
    case EventKind::kUnconfirmed:
      return "unconfirmed";
    case EventKind::kServerAway:
      return "server-away";
    case EventKind::kServerBack:
      break;
  }
  return "server-back";
}

Lane LaneOf(EventKind kind) {
  switch (kind) {
    case EventKind::kUploaded:
      return Lane::kUploaded;
    case EventKind::kInterrupted:
    case EventKind::kFailed:
    case EventKind::kUnconfirmed:
      return Lane::kStuck;
    case EventKind::kServerAway:
    case EventKind::kServerBack:
      break;
  }
  return Lane::kServer;
}

char const* SettingOf(Lane lane) {
  switch (lane) {
    case Lane::kUploaded:
      return "on-uploaded";
    case Lane::kStuck:
      return "on-stuck";
    case Lane::kServer:
      break;
  }
  return "on-server";
}

Event EventOf(Passing const& passing, FileTime now) {
  return {.id = Uuid::Random(),
          .kind = KindOf(passing),
          .time = now,
          .path = passing.path,
          .size = passing.size,
          .modified = passing.modified,
          .upload = passing.upload,
          .url = passing.url,
          .reason = passing.reason};
}

std::string Encode(Event const& event) {
  return Encoder()
      .Number(kEventVersion)
      .Id(event.id)
      .Number(static_cast<std::uint8_t>(event.kind))
      .Number(event.time)
      .Text(event.path)
      .Number(event.size)
      .Number(event.modified)
      .Id(event.upload)
      .Text(event.url)
      .Text(event.reason)
      .Take();
}

Result<Event> DecodeEvent(std::string_view bytes) {
  Decoder decoder(bytes);
  auto const version = decoder.Number<std::uint8_t>();
  Event event;
  event.id = decoder.Id();
  auto const kind = decoder.Number<std::uint8_t>();
  event.time = decoder.Number<FileTime>();
  event.path = decoder.Text();
  event.size = decoder.Number<std::uint64_t>();
  event.modified = decoder.Number<FileTime>();
  event.upload = decoder.Id();
  event.url = decoder.Text();
  event.reason = decoder.Text();
  bool const is_known = kind >= static_cast<std::uint8_t>(EventKind::kUploaded) &&
                        kind <= static_cast<std::uint8_t>(EventKind::kServerBack);
  if (version != kEventVersion || !is_known || !decoder.Finished()) {
    return Fail(EUCLEAN, "an event of a hook cannot be read");
  }
  event.kind = static_cast<EventKind>(kind);
  return event;
}

std::string PutEvent(Transaction& transaction, Event const& event) {
  auto const time = static_cast<std::uint64_t>(event.time);
  auto const key = PrefixOf(LaneOf(event.kind)) + Key(time, Encoder().Id(event.id).Take());
  transaction.Put(Table::kMeta, key, Encode(event));
  return key;
}

void DeleteEvent(Transaction& transaction, std::string const& key) {
  transaction.Delete(Table::kMeta, key);
}

Result<std::vector<EventRow>> ListEvents(View const& view, Lane lane, std::size_t limit) {
  std::vector<EventRow> rows;
  auto const prefix = PrefixOf(lane);
  auto const scanned =
      view.Scan(Table::kMeta, prefix, prefix, [&](std::string_view key, std::string_view value) {
        auto event = DecodeEvent(value);
        if (event) rows.push_back({std::string(key), *std::move(event)});
        return rows.size() < limit;
      });
  if (!scanned) return Failure(scanned.error());
  return rows;
}

Result<std::size_t> CountEvents(View const& view, Lane lane) {
  std::size_t count = 0;
  auto const prefix = PrefixOf(lane);
  auto const scanned =
      view.Scan(Table::kMeta, prefix, prefix, [&](std::string_view, std::string_view) {
        ++count;
        return true;
      });
  if (!scanned) return Failure(scanned.error());
  return count;
}

std::string JsonOf(Event const& event, std::string const& mount, int attempt) {
  nlohmann::json object{{"id", event.id.ToString()},
                        {"event", WordOf(event.kind)},
                        {"time", IsoUtc(event.time)},
                        {"attempt", attempt},
                        {"mount", mount},
                        {"reason", nullptr}};
  if (!event.reason.empty()) object["reason"] = event.reason;
  if (LaneOf(event.kind) != Lane::kServer) {
    object["path"] = event.path;
    object["file"] = mount + "/" + event.path;
    object["size"] = event.size;
    object["modified"] = IsoUtc(event.modified);
    object["upload"] = nullptr;
    if (!event.upload.IsNil()) object["upload"] = event.upload.ToString();
  }
  if (!event.url.empty()) object["url"] = event.url;
  // Names are bytes and need not be UTF-8.
  return object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::vector<std::string> VariablesOf(Event const& event, std::string const& mount, int attempt) {
  std::vector<std::string> variables{"TUSFS_EVENT=" + std::string(WordOf(event.kind)),
                                     "TUSFS_EVENT_ID=" + event.id.ToString(),
                                     "TUSFS_TIME=" + IsoUtc(event.time),
                                     "TUSFS_ATTEMPT=" + std::to_string(attempt),
                                     "TUSFS_MOUNT=" + mount,
                                     "TUSFS_REASON=" + event.reason};
  if (LaneOf(event.kind) == Lane::kServer) return variables;
  variables.push_back("TUSFS_PATH=" + event.path);
  variables.push_back("TUSFS_FILE=" + mount + "/" + event.path);
  variables.push_back("TUSFS_SIZE=" + std::to_string(event.size));
  if (!event.upload.IsNil()) variables.push_back("TUSFS_UPLOAD=" + event.upload.ToString());
  return variables;
}

}  // namespace tusfs
