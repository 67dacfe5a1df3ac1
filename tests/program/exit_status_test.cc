// Whether a start that failed is worth another one.
#include "program/exit_status.h"

#include <gtest/gtest.h>

#include <cerrno>

namespace tusfs {
namespace {

TEST(ExitStatus, WhatAPersonHasToChangeIsNotTriedAgain) {
  for (int const code : {EINVAL, ENOENT, ENOTDIR, ENOTEMPTY, EACCES, EPERM, EOPNOTSUPP, EXDEV}) {
    EXPECT_EQ(ExitStatusFor({code, ""}), kWrongConfiguration) << code;
  }
}

TEST(ExitStatus, WhatMayMendItselfIs) {
  for (int const code : {EIO, ENOSPC, EROFS, EBUSY, ENOTCONN, ENOMEM, EMFILE, EUCLEAN, ESTALE}) {
    EXPECT_EQ(ExitStatusFor({code, ""}), kMayMendItself) << code;
  }
}

}  // namespace
}  // namespace tusfs
