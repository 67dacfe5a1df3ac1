#include "tus_upload_json.h"

#include <cstdio>
#include <mutex>
#include <nlohmann/json.hpp>
#include <utility>

#include "tus_upload_text.h"

namespace tus_upload {
namespace {

using json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kProgressInterval{1};

double SecondsSince(Clock::time_point begin) {
  auto const passed = std::chrono::ceil<std::chrono::milliseconds>(Clock::now() - begin);
  return static_cast<double>(passed.count()) / 1000;
}

/// ASCII. What is not UTF-8 becomes U+FFFD.
std::string Text(json const& value) {
  return value.dump(-1, ' ', true, json::error_handler_t::replace);
}

bool IsUtf8(std::string const& text) {
  return json::parse(Text(text)).get_ref<std::string const&>() == text;
}

void AddCause(json& event, tus::Error const& cause) {
  event["error"] = tus::Name(cause.code);
  if (cause.http_status != 0) event["http_status"] = cause.http_status;
}

class JsonReport : public Report {
 public:
  explicit JsonReport(bool with_urls) : with_urls_(with_urls) {}

  void Planned(std::size_t, std::uint64_t) override {}
  [[nodiscard]] std::unique_ptr<FileReport> Open(std::string name, std::uint64_t planned) override;
  void Skipped(std::string const& name, std::string const& why) override {
    auto event = Event("skipped", name);
    event["message"] = why;
    Write(event);
  }
  void Failed(std::string const& name, std::string const& sentence) override {
    auto event = Event("failed", name);
    event["message"] = sentence;
    event["confirmed"] = 0;
    Write(event);
    Complain(sentence);
  }
  void Complain(std::string const& sentence) override {
    std::lock_guard const lock(mutex_);
    std::fprintf(stderr, "tus-upload: %s\n", Printable(sentence).c_str());
  }
  void End(Summary const& summary) override;

  [[nodiscard]] static json Event(char const* event, std::string const& name);
  void Write(json const& event);
  [[nodiscard]] bool with_urls() const { return with_urls_; }

 private:
  bool const with_urls_;
  Clock::time_point const begun_ = Clock::now();
  std::mutex mutex_;  // over both outputs
};

class JsonFile : public FileReport {
 public:
  JsonFile(JsonReport& all, std::string name) : all_(all), name_(std::move(name)) {}

  void Begin(std::optional<std::uint64_t> size) override;
  void Sent(std::uint64_t offset) override {
    position_ = offset;
    Show();
  }
  void Confirmed(std::uint64_t offset) override {
    position_ = offset;
    confirmed_ = offset;
    Show();
  }
  void Retry(tus::Error const& error, std::chrono::milliseconds delay) override;
  void Restart(std::string const& why) override { Say("restart", why); }
  void Note(std::string const& sentence) override { Say("note", sentence); }
  void Detail(std::string const&) override {}

  void Done(tus::Receipt const& receipt) override;
  void WasDone(std::uint64_t size, std::string const& url) override;
  void Abandoned(bool there) override;
  void Failed(std::string const& sentence, tus::Error const* cause) override;

  [[nodiscard]] std::uint64_t confirmed() const override { return confirmed_; }

 private:
  JsonReport& all_;
  std::string const name_;
  std::optional<std::uint64_t> size_;
  std::uint64_t position_ = 0;
  std::uint64_t confirmed_ = 0;
  Clock::time_point begun_ = Clock::now();
  Clock::time_point shown_ = begun_;

  void Show();
  void Say(char const* event, std::string const& message);
  void WriteDone(json event, std::string const& url);
};

void JsonFile::Begin(std::optional<std::uint64_t> size) {
  size_ = size;
  begun_ = Clock::now();
  shown_ = begun_;
  auto event = JsonReport::Event("start", name_);
  if (size_) event["bytes"] = *size_;
  all_.Write(event);
}

void JsonFile::Show() {
  auto const now = Clock::now();
  if (now - shown_ < kProgressInterval) return;
  shown_ = now;
  auto event = JsonReport::Event("progress", name_);
  if (size_) event["bytes"] = *size_;
  event["position"] = position_;
  event["confirmed"] = confirmed_;
  event["seconds"] = SecondsSince(begun_);
  all_.Write(event);
}

void JsonFile::Retry(tus::Error const& error, std::chrono::milliseconds delay) {
  auto event = JsonReport::Event("retry", name_);
  AddCause(event, error);
  event["message"] = error.message;
  event["delay_seconds"] = static_cast<double>(delay.count()) / 1000;
  event["confirmed"] = confirmed_;
  all_.Write(event);
}

void JsonFile::Say(char const* event, std::string const& message) {
  auto said = JsonReport::Event(event, name_);
  said["message"] = message;
  all_.Write(said);
}

void JsonFile::Done(tus::Receipt const& receipt) {
  auto event = JsonReport::Event("done", name_);
  event["bytes"] = receipt.size;
  event["sent"] = receipt.sent;
  event["seconds"] = SecondsSince(begun_);
  event["resumed"] = receipt.resumed;
  event["earlier"] = false;
  WriteDone(std::move(event), receipt.url);
}

void JsonFile::WasDone(std::uint64_t size, std::string const& url) {
  auto event = JsonReport::Event("done", name_);
  event["bytes"] = size;
  event["sent"] = 0;
  event["seconds"] = 0;
  event["resumed"] = false;
  event["earlier"] = true;
  WriteDone(std::move(event), url);
}

void JsonFile::WriteDone(json event, std::string const& url) {
  if (all_.with_urls()) event["url"] = url;
  all_.Write(event);
}

void JsonFile::Abandoned(bool there) {
  auto event = JsonReport::Event("abandoned", name_);
  event["deleted"] = there;
  all_.Write(event);
}

void JsonFile::Failed(std::string const& sentence, tus::Error const* cause) {
  auto event = JsonReport::Event("failed", name_);
  if (cause != nullptr) AddCause(event, *cause);
  event["message"] = sentence;
  event["confirmed"] = confirmed_;
  all_.Write(event);
  all_.Complain(sentence);
}

std::unique_ptr<FileReport> JsonReport::Open(std::string name, std::uint64_t) {
  return std::make_unique<JsonFile>(*this, std::move(name));
}

void JsonReport::End(Summary const& summary) {
  json event;
  event["event"] = "summary";
  event["files"] = summary.files;
  event["uploaded"] = summary.uploaded;
  event["failed"] = summary.failed;
  event["bytes"] = summary.bytes;
  event["sent"] = summary.sent;
  event["seconds"] = SecondsSince(begun_);
  event["status"] = summary.status;
  Write(event);
}

json JsonReport::Event(char const* event, std::string const& name) {
  json made;
  made["event"] = event;
  made["file"] = name;
  if (!IsUtf8(name)) made["file_percent"] = PercentEncoded(name);
  return made;
}

// Whoever reads it acts on each line as it comes.
void JsonReport::Write(json const& event) {
  auto const line = Text(event) + "\n";
  std::lock_guard const lock(mutex_);
  std::fputs(line.c_str(), stdout);
  std::fflush(stdout);
}

}  // namespace

std::unique_ptr<Report> MakeJsonReport(bool with_urls) {
  return std::make_unique<JsonReport>(with_urls);
}

}  // namespace tus_upload
