/// \file
/// The few lines a C++ test program needs. A failed check is counted and told; the program goes on and ends with 1.
///
///     #include "check.h"
///     TEST(sums) { CHECK(1 + 1 == 2); CHECK_NEAR(0.1 + 0.2, 0.3, 1e-15); }
///     TEST_MAIN()
#pragma once

#include <cmath>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

namespace check {

struct Test {
   const char *name;
   void (*body)();
};

inline std::vector<Test> &tests()
{
   static std::vector<Test> all;
   return all;
}

inline int failures = 0;

inline bool add(const char *name, void (*body)())
{
   tests().push_back({name, body});
   return true;
}

inline void fail(const char *file, int line, const std::string &what)
{
   ++failures;
   std::fprintf(stderr, "%s:%d: %s\n", file, line, what.c_str());
}

inline int run_all()
{
   for (const Test &test : tests()) {
      const int before = failures;
      try {
         test.body();
      } catch (const std::exception &error) {
         fail(test.name, 0, std::string("unexpected exception: ") + error.what());
      }
      std::printf("%s %s\n", failures == before ? "ok    " : "FAILED", test.name);
   }
   std::printf("%zu tests, %d failed checks\n", tests().size(), failures);
   return failures == 0 && !tests().empty() ? 0 : 1;
}

} // namespace check

#define TEST(name)                                                                  \
   static void test_##name();                                                       \
   [[maybe_unused]] static const bool added_##name = check::add(#name, test_##name); \
   static void test_##name()

#define TEST_MAIN()                  \
   int main()                        \
   {                                 \
      return check::run_all();       \
   }

#define CHECK(...)                                                    \
   do {                                                               \
      if (!(__VA_ARGS__))                                             \
         check::fail(__FILE__, __LINE__, "not true: " #__VA_ARGS__);  \
   } while (false)

#define CHECK_NEAR(found, expected, tolerance)                                                          \
   do {                                                                                                 \
      const double found_ = (found), expected_ = (expected), tolerance_ = (tolerance);                  \
      if (!(std::fabs(found_ - expected_) <= tolerance_))                                               \
         check::fail(__FILE__, __LINE__, #found " is " + std::to_string(found_) + ", expected " +       \
                                            std::to_string(expected_) + " within " +                    \
                                            std::to_string(tolerance_));                                \
   } while (false)

#define CHECK_THROWS(expression, Type, substring)                                                                 \
   do {                                                                                                           \
      try {                                                                                                       \
         (void)(expression);                                                                                      \
         check::fail(__FILE__, __LINE__, "nothing thrown by: " #expression);                                      \
      } catch (const Type &error_) {                                                                              \
         if (std::string(error_.what()).find(substring) == std::string::npos)                                     \
            check::fail(__FILE__, __LINE__,                                                                       \
                        std::string("message: ") + error_.what() + "\n   lacks: " + std::string(substring));      \
      } catch (const std::exception &error_) {                                                                    \
         check::fail(__FILE__, __LINE__, std::string("thrown, but not a " #Type ": ") + error_.what());           \
      }                                                                                                           \
   } while (false)
