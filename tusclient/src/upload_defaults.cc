#include "upload_defaults.h"

#include <condition_variable>
#include <mutex>
#include <random>
#include <utility>

namespace tus {
namespace {

double RandomFraction() {
  thread_local std::mt19937_64 generator{std::random_device{}()};
  return std::uniform_real_distribution<double>(0, 1)(generator);
}

void Wait(std::chrono::milliseconds time, std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock(mutex);
  never.wait_for(lock, std::move(stop), time, [] { return false; });
}

}  // namespace

UploadOptions WithDefaults(UploadOptions options) {
  if (!options.random) options.random = RandomFraction;
  if (!options.now) options.now = [] { return std::chrono::steady_clock::now(); };
  if (!options.wait) options.wait = Wait;
  return options;
}

}  // namespace tus
