// The arguments of the examples: `--name number`, and `--help`.
#pragma once

#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

/// A whole number from 1 to `largest` that can be given on the command line.
struct Argument {
  std::string name;
  std::string meaning;
  int64_t* value;  // what it is when it is not given; overwritten when it is
  double largest;
};

/// Reads `argv`. `--help` prints what there is and ends the program with status 0; anything that is
/// not understood ends it with status 2 and a sentence on what is accepted.
inline void read_arguments(int argc, char** argv, const std::vector<Argument>& arguments) {
  const auto refuse = [&](const std::string& what) {
    std::fprintf(stderr, "%s: %s\n", argv[0], what.c_str());
    std::exit(2);
  };
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i];
    const Argument* argument = nullptr;
    for (const Argument& each : arguments) {
      if (each.name == name) argument = &each;
    }
    if (name == "--help") {
      std::printf("usage: %s [--name number]...\n\n", argv[0]);
      for (const Argument& each : arguments) {
        std::printf("  %-12s %s (default %g)\n", each.name.c_str(), each.meaning.c_str(),
                    static_cast<double>(*each.value));
      }
      std::exit(0);
    }
    if (argument == nullptr) refuse("unknown argument '" + name + "'; --help lists what there is");
    if (i + 1 == argc) refuse(name + " has no value; a number must follow it");

    const std::string text = argv[i + 1];
    double value = 0;  // not an integer, so that 1e8 can be written as such
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool is_number = error == std::errc() && end == text.data() + text.size();
    if (!is_number || value != std::floor(value) || value < 1 || value > argument->largest) {
      char message[256];
      std::snprintf(message, sizeof message, "%s is '%s'; it must be a whole number from 1 to %g",
                    name.c_str(), text.c_str(), argument->largest);
      refuse(message);
    }
    *argument->value = static_cast<int64_t>(value);
  }
}
