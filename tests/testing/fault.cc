#include "testing/fault.h"

namespace tusfs_testing {
namespace {

Fault Answering(Fault::Kind kind, int status, std::string body, Headers headers) {
  Fault fault;
  fault.kind = kind;
  fault.status = status;
  fault.body = std::move(body);
  fault.headers = std::move(headers);
  return fault;
}

Fault Counting(Fault::Kind kind, std::uint64_t bytes) {
  Fault fault;
  fault.kind = kind;
  fault.bytes = bytes;
  return fault;
}

}  // namespace

Fault Fault::CutAfter(std::uint64_t bytes) { return Counting(Kind::kCutAfter, bytes); }

Fault Fault::Answer(int status, std::string body, Headers headers) {
  return Answering(Kind::kAnswer, status, std::move(body), std::move(headers));
}

Fault Fault::AnswerWithoutTusResumable(int status, std::string body, Headers headers) {
  return Answering(Kind::kAnswerWithoutTusResumable, status, std::move(body), std::move(headers));
}

Fault Fault::AnswerAfter(int status, std::string body, Headers headers) {
  return Answering(Kind::kAnswerAfter, status, std::move(body), std::move(headers));
}

Fault Fault::Stall(std::chrono::milliseconds duration, std::uint64_t bytes) {
  Fault fault = Counting(Kind::kStall, bytes);
  fault.duration = duration;
  return fault;
}

Fault Fault::StallUntilReleased(std::uint64_t bytes) { return Counting(Kind::kStall, bytes); }
Fault Fault::LoseAnswer() { return Counting(Kind::kLoseAnswer, 0); }
Fault Fault::ShortOffset(std::uint64_t bytes_kept) {
  return Counting(Kind::kShortOffset, bytes_kept);
}
Fault Fault::ForgetUpload() { return Counting(Kind::kForgetUpload, 0); }

bool IsJoin(RequestFacts const& request) {
  return request.method == "POST" && request.exchange != nullptr &&
         request.exchange->Header("Upload-Concat").value_or("").starts_with("final;");
}

bool IsCreationOfPart(RequestFacts const& request) {
  return request.method == "POST" && request.exchange != nullptr &&
         request.exchange->Header("Upload-Concat") == "partial";
}

}  // namespace tusfs_testing
