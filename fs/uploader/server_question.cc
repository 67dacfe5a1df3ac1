#include "uploader/server_question.h"

#include <ctime>
#include <string>
#include <utility>

namespace tusfs {
namespace {

constexpr std::chrono::nanoseconds kSecond = std::chrono::seconds(1);

// Remembers when the server says that it answered.
class DatedTransport : public tus::HttpTransport {
 public:
  explicit DatedTransport(std::unique_ptr<tus::HttpTransport> inner) : inner_(std::move(inner)) {}

  tus::Result<tus::HttpResponse> Perform(tus::HttpRequest const& request) override {
    auto response = inner_->Perform(request);
    if (!response) return response;
    if (auto const date = response->Find("Date")) date_ = *date;
    return response;
  }

  /// Seconds since 1970.
  [[nodiscard]] std::optional<std::time_t> date() const {
    std::tm utc{};
    if (::strptime(date_.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &utc) == nullptr) {
      return std::nullopt;
    }
    return ::timegm(&utc);
  }

 private:
  std::unique_ptr<tus::HttpTransport> const inner_;
  std::string date_;
};

}  // namespace

ServerAnswer AskServer(tus::ClientOptions const& options,
                       std::function<std::unique_ptr<tus::HttpTransport>()> const& make_transport,
                       Clock const& clock, std::stop_token stop) {
  DatedTransport transport(make_transport());
  tus::Client client(options, transport);
  auto const start = clock.Steady();
  ServerAnswer answer{.info = client.Options(std::move(stop))};
  answer.took = std::chrono::duration_cast<std::chrono::milliseconds>(clock.Steady() - start);
  if (auto const date = transport.date()) {
    answer.clock_ahead = std::chrono::seconds(*date - clock.Wall() / kSecond.count());
  }
  return answer;
}

}  // namespace tusfs
