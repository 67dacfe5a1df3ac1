// What tests ask of the fixture server and tell it.
#include <algorithm>
#include <cstdio>

#include "testing/tus_service.h"

namespace tusfs_testing {

void TusService::Halt() {
  std::lock_guard const lock(mutex_);
  halted_ = true;
  changed_.notify_all();
}

void TusService::Resume() {
  std::lock_guard const lock(mutex_);
  halted_ = false;
}

FixtureStats TusService::Stats() const {
  std::lock_guard const lock(mutex_);
  return stats_;
}

std::vector<UploadView> TusService::Uploads() const {
  std::lock_guard const lock(mutex_);
  std::vector<UploadView> views;
  views.reserve(uploads_.size());
  for (auto const& [id, upload] : uploads_) views.push_back(upload->view);
  return views;
}

std::string TusService::Content(std::string const& id) const {
  std::lock_guard const lock(mutex_);
  Upload const upload = Find(id);
  if (!upload) return "";
  std::string content(upload->view.offset, '\0');
  content.resize(upload->Read(0, content));
  return content;
}

std::vector<RequestRecord> TusService::Requests() const {
  std::lock_guard const lock(mutex_);
  return requests_;
}

void TusService::AddFault(FaultRule rule) {
  std::lock_guard const lock(mutex_);
  faults_.emplace_back(std::move(rule), 0);
}

void TusService::ClearFaults() {
  std::lock_guard const lock(mutex_);
  faults_.clear();
}

void TusService::ReleaseStalled() {
  std::lock_guard const lock(mutex_);
  ++releases_;
  changed_.notify_all();
}

int TusService::Stalled() const {
  std::lock_guard const lock(mutex_);
  return stalled_;
}

int TusService::Joining() const {
  std::lock_guard const lock(mutex_);
  return joining_;
}

bool TusService::Forget(std::string const& id) {
  std::lock_guard const lock(mutex_);
  return uploads_.erase(id) > 0;
}

bool TusService::Rewind(std::string const& id, std::uint64_t offset) {
  std::lock_guard const lock(mutex_);
  Upload const upload = Find(id);
  if (!upload || upload->view.complete) return false;
  upload->view.offset = std::min(upload->view.offset, offset);
  return true;
}

void TusService::Require(Headers headers) {
  std::lock_guard const lock(mutex_);
  required_ = std::move(headers);
}

bool TusService::MayEnter(HttpExchange const& exchange) const {
  std::lock_guard const lock(mutex_);
  return std::ranges::all_of(required_, [&](auto const& header) {
    return exchange.Header(header.first) == header.second;
  });
}

void TusService::SetRate(std::uint64_t bytes_per_second) { rate_.Set(bytes_per_second); }

TusService::Upload TusService::Find(std::string_view id) const {
  auto const found = uploads_.find(id);
  return found == uploads_.end() ? nullptr : found->second;
}

std::string TusService::NewId() {
  std::lock_guard const lock(mutex_);
  char id[32];
  std::snprintf(id, sizeof id, "upload-%010llu", static_cast<unsigned long long>(++created_));
  return id;
}

Fault TusService::TakeFault(RequestFacts const& facts) {
  std::lock_guard const lock(mutex_);
  Fault taken;
  for (auto& [rule, matched] : faults_) {
    if (!rule.method.empty() && rule.method != facts.method) continue;
    if (rule.matches && !rule.matches(facts)) continue;
    ++matched;
    if (taken.kind == Fault::Kind::kNone && (rule.nth == 0 || rule.nth == matched)) {
      taken = rule.action;
    }
  }
  return taken;
}

void TusService::Record(Request const& request, int status) {
  std::lock_guard const lock(mutex_);
  if (request.method == "POST") ++stats_.posts;
  if (request.method == "PATCH") ++stats_.patches;
  if (request.method == "HEAD") ++stats_.heads;
  if (request.method == "DELETE") ++stats_.deletes;
  if (request.method == "OPTIONS") ++stats_.options;
  requests_.push_back({.method = request.method,
                       .target = request.path,
                       .headers = request.http.AllHeaders(),
                       .body_bytes = request.body_bytes,
                       .status = status});
}

}  // namespace tusfs_testing
