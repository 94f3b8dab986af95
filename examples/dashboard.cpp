// A dashboard while a program computes: open the address it prints in a browser.
#include <cstdio>

#include "tuff/tuff.h"

int main() {
  const tuff::Dashboard dashboard;  // until the end of main
  std::printf("%s\n", dashboard.url().c_str());
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const tuff::Array x = tuff::random::normal({50'000'000}, {.chunks = 500'000, .seed = seed});
    std::printf("%g\n", tuff::mean(tuff::exp(x)).compute<double>());
  }
}
