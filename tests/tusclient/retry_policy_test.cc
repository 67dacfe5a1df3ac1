#include "tusclient/retry_policy.h"

#include <gtest/gtest.h>

namespace tus {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

auto Always(double number) {
  return [number] { return number; };
}

TEST(RetryPolicy, DoublesItsBoundWithEachFailure) {
  RetryPolicy const policy{.base = milliseconds(500), .max = milliseconds(60'000)};
  EXPECT_EQ(policy.Delay(1, {}, Always(1.0)), milliseconds(500));
  EXPECT_EQ(policy.Delay(2, {}, Always(1.0)), milliseconds(1000));
  EXPECT_EQ(policy.Delay(5, {}, Always(1.0)), milliseconds(8000));
}

TEST(RetryPolicy, NeverWaitsLessThanATenthOfTheBound) {
  RetryPolicy const policy{.base = milliseconds(500), .max = milliseconds(60'000)};
  EXPECT_EQ(policy.Delay(1, {}, Always(0.0)), milliseconds(50));
  EXPECT_EQ(policy.Delay(3, {}, Always(0.0)), milliseconds(200));
}

TEST(RetryPolicy, StopsAtItsMaximumHoweverManyFailures) {
  RetryPolicy const policy{.base = milliseconds(500), .max = milliseconds(60'000)};
  EXPECT_EQ(policy.Delay(8, {}, Always(1.0)), milliseconds(60'000));
  EXPECT_EQ(policy.Delay(1'000'000, {}, Always(1.0)), milliseconds(60'000));
}

TEST(RetryPolicy, TakesABaseAboveTheMaximumOrOfZero) {
  EXPECT_EQ((RetryPolicy{milliseconds(900), milliseconds(100)}.Delay(3, {}, Always(1.0))),
            milliseconds(100));
  EXPECT_EQ((RetryPolicy{milliseconds(0), milliseconds(100)}.Delay(9, {}, Always(1.0))),
            milliseconds(0));
}

TEST(RetryPolicy, TreatsFewerThanOneFailureAsOne) {
  EXPECT_EQ(RetryPolicy{}.Delay(0, {}, Always(1.0)), milliseconds(500));
}

TEST(RetryPolicy, NeverComesBackBeforeRetryAfter) {
  Error error;
  error.retry_after = seconds(300);
  EXPECT_EQ(RetryPolicy{}.Delay(1, error, Always(0.5)), seconds(300));
  error.retry_after = seconds(0);
  EXPECT_EQ(RetryPolicy{}.Delay(1, error, Always(1.0)), milliseconds(500));
}

TEST(RetryPolicy, BelievesARetryAfterForFiveMinutesAndAStrangersForThirtySeconds) {
  Error error;
  error.retry_after = seconds(86'400);
  EXPECT_EQ(RetryPolicy{}.Delay(1, error, Always(0.5)), seconds(300));
  error.code = ErrorCode::kNotTus;
  EXPECT_EQ(RetryPolicy{}.Delay(1, error, Always(0.5)), seconds(30));
}

TEST(IsTransient, IsTrueForWhatPassesByItself) {
  for (auto const code : {ErrorCode::kUnreachable, ErrorCode::kInterrupted, ErrorCode::kNotTus,
                          ErrorCode::kTransient, ErrorCode::kChecksumMismatch}) {
    EXPECT_TRUE(IsTransient(code)) << Name(code);
  }
  for (auto const code : {ErrorCode::kCancelled, ErrorCode::kInvalidArgument, ErrorCode::kSource,
                          ErrorCode::kUnauthorized, ErrorCode::kGone, ErrorCode::kTooLarge,
                          ErrorCode::kRefused, ErrorCode::kProtocol}) {
    EXPECT_FALSE(IsTransient(code)) << Name(code);
  }
}

TEST(IsOutage, IsTrueForWhatSaysNothingAboutAnUpload) {
  EXPECT_TRUE(IsOutage(ErrorCode::kUnreachable));
  EXPECT_TRUE(IsOutage(ErrorCode::kNotTus));
  EXPECT_FALSE(IsOutage(ErrorCode::kInterrupted));
  EXPECT_FALSE(IsOutage(ErrorCode::kGone));
  EXPECT_FALSE(IsOutage(ErrorCode::kUnauthorized));
}

}  // namespace
}  // namespace tus
