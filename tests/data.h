// Files that stand beside the tests of a folder.
#pragma once

#include <string>
#include <string_view>

namespace tuff {

/// The path of `name` in the folder of tests that this program is made of. Defined in a file of its own
/// (data.cpp.in), so that a clone's path is in no other object and compilers' caches serve all clones.
std::string test_data(std::string_view name);

}  // namespace tuff
