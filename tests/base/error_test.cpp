// The texts of the four kinds of error, and what is nested in them.
#include "tuff/base/error.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace {

using tuff::TaskFailure;

std::exception_ptr thrown(const std::string& what) {
  return std::make_exception_ptr(std::runtime_error(what));
}

TEST(Error, InvalidArgumentNamesTheOperation) {
  const tuff::InvalidArgument error("matmul", "(3, 4) x (5, 6): inner extents 4 and 5 differ");
  EXPECT_STREQ(error.what(), "[matmul] (3, 4) x (5, 6): inner extents 4 and 5 differ");
}

TEST(Error, OneFailureIsTold) {
  const tuff::TaskError error({TaskFailure{"exp", 7, "(3, 0)", thrown("disk full")}});
  EXPECT_STREQ(error.what(), "[run] task 7 (exp) on block (3, 0) failed: disk full");
  ASSERT_EQ(error.failures().size(), 1u);
  EXPECT_EQ(error.failures()[0].operation, "exp");
}

TEST(Error, FurtherFailuresAreCountedAndNamed) {
  const tuff::TaskError error({TaskFailure{"exp", 7, "(3, 0)", thrown("disk full")},
                               TaskFailure{"log", 8, "(4,)", thrown("no")},
                               TaskFailure{"sum", 9, "0", thrown("no")}});
  EXPECT_STREQ(
      error.what(),
      "[run] task 7 (exp) on block (3, 0) failed: disk full; 2 more task(s) failed: 8 (log) on "
      "block (4,), 9 (sum) on block 0");
}

TEST(Error, ALongListOfFailuresIsCutShort) {
  const tuff::TaskError error(std::vector<TaskFailure>(30, TaskFailure{"f", 1, "0", thrown("no")}));
  EXPECT_TRUE(std::string(error.what()).ends_with(" ...")) << error.what();
  EXPECT_LT(std::string(error.what()).size(), 300u);
  EXPECT_EQ(error.failures().size(), 30u);
}

TEST(Error, CancelledTellsWhyAndHowFarTheRunGot) {
  const tuff::Cancelled stopped(tuff::Cancelled::Reason::stop_requested, 3, 10);
  EXPECT_STREQ(stopped.what(), "[run] stop was requested after 3 of 10 tasks");
  EXPECT_EQ(stopped.reason(), tuff::Cancelled::Reason::stop_requested);
  const tuff::Cancelled late(tuff::Cancelled::Reason::deadline, 0, 1);
  EXPECT_STREQ(late.what(), "[run] the deadline passed after 0 of 1 tasks");
  const tuff::Cancelled inside(tuff::Cancelled::Reason::stop_requested);
  EXPECT_STREQ(inside.what(), "[run] stop was requested inside a task");
}

TEST(Error, DescribeFollowsNestedCauses) {
  std::exception_ptr nested;
  try {
    try {
      throw std::runtime_error("no such file");
    } catch (...) {
      std::throw_with_nested(tuff::InvalidArgument("read", "cannot open a.npy"));
    }
  } catch (...) {
    nested = std::current_exception();
  }
  EXPECT_EQ(tuff::describe(nested), "[read] cannot open a.npy: no such file");
}

TEST(Error, DescribeTellsTheCauseOfATaskErrorOnce) {
  std::exception_ptr nested;
  try {
    try {
      throw std::runtime_error("disk full");
    } catch (...) {
      std::throw_with_nested(
          tuff::TaskError({TaskFailure{"exp", 7, "(3, 0)", std::current_exception()}}));
    }
  } catch (...) {
    nested = std::current_exception();
  }
  EXPECT_EQ(tuff::describe(nested), "[run] task 7 (exp) on block (3, 0) failed: disk full");
}

TEST(Error, DescribeCopesWithWhatIsNoException) {
  EXPECT_EQ(tuff::describe(std::make_exception_ptr(42)),
            "an exception that is not a std::exception");
  EXPECT_EQ(tuff::describe(nullptr), "");
  std::exception_ptr nested;
  try {
    try {
      throw 42;
    } catch (...) {
      std::throw_with_nested(std::runtime_error("outer"));
    }
  } catch (...) {
    nested = std::current_exception();
  }
  EXPECT_EQ(tuff::describe(nested), "outer: an exception that is not a std::exception");
}

TEST(Error, AnExceptionMayHaveNoText) {
  struct Silent : std::exception {
    const char* what() const noexcept override { return nullptr; }
  };
  EXPECT_EQ(tuff::describe(std::make_exception_ptr(Silent())), "an exception without a text");
  const tuff::TaskError error({TaskFailure{"f", 7, "(0,)", std::make_exception_ptr(Silent())}});
  EXPECT_NE(std::string(error.what()).find("failed: an exception without a text"),
            std::string::npos);
}

TEST(Error, AllAreErrorsAndRuntimeErrors) {
  EXPECT_THROW(throw tuff::InvalidArgument("a", "b"), tuff::Error);
  EXPECT_THROW(throw tuff::InternalError("a"), tuff::Error);
  EXPECT_THROW(throw tuff::Cancelled(tuff::Cancelled::Reason::deadline, 0, 1), std::runtime_error);
  EXPECT_THROW(throw tuff::TaskError({TaskFailure{"f", 1, "0", thrown("no")}}), tuff::Error);
}

}  // namespace
