// The first program of someone who installed Tuff with its tables: writes a column, and reads it back.
// Ends with 0 when the sum is what it has to be. Usage: uses_table FOLDER
#include "tuff/table/table.h"

#include <cstdio>
#include <string>

#include "tuff/table/write.h"
#include "tuff/tuff.h"

int main(int count, char** arguments) {
  if (count != 2) return 2;
  const std::string path = std::string(arguments[1]) + "/x.parquet";
  tuff::table::write_parquet(path, {{"x", tuff::arange(100'000)}});
  const tuff::table::Table table = tuff::table::read({path});
  const auto sum = tuff::sum(table.column("x")).compute<int64_t>();
  std::printf("the sum of %s's x is %lld\n", path.c_str(), static_cast<long long>(sum));
  return sum == int64_t{4'999'950'000} ? 0 : 1;
}
