#include "pacer.h"

#include <algorithm>

#include "fail.h"

namespace tus {

Pacer::Pacer(UploadOptions const& options) : options_(options), progressed_(options.now()) {}

void Pacer::Progressed() {
  failures_ = 0;
  progressed_ = options_.now();
}

std::optional<Error> Pacer::Failed(Error const& error, std::stop_token const& stop,
                                   std::chrono::milliseconds least) {
  ++failures_;
  auto const delay = std::max(options_.retry.Delay(failures_, error, options_.random), least);
  if (options_.give_up && options_.now() + delay - progressed_ > *options_.give_up) {
    auto last = error;
    auto const time = std::chrono::ceil<std::chrono::seconds>(options_.now() - progressed_).count();
    last.message += ", and nothing has moved on for " + std::to_string(time) + " s";
    return last;
  }
  if (options_.on_retry) options_.on_retry(error, delay);
  options_.wait(delay, stop);
  if (stop.stop_requested()) return MakeError(ErrorCode::kCancelled, "the upload was cancelled");
  return std::nullopt;
}

}  // namespace tus
