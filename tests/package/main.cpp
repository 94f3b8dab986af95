// The first program of someone who installed Tuff: builds an expression, computes it, looks at it.
// Ends with 0 when the mean of a hundred thousand normals is where it has to be.
#include <cmath>
#include <cstdio>

#include "tuff/base/version.h"
#include "tuff/tuff.h"

int main() {
  tuff::Array x = tuff::random::normal({100'000}, {.chunks = 10'000, .seed = 1});
  double mean = tuff::sum(x).compute<double>() / 100'000;
  std::printf("tuff %s: mean of 100,000 normals is %.5f\n", TUFF_VERSION, mean);
  // The mean has a standard deviation of 0.00316; 0.02 is more than six of them.
  return std::abs(mean) < 0.02 ? 0 : 1;
}
